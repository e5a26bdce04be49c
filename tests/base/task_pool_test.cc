#include "mmh/base/task_pool.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <latch>
#include <numeric>

#include "support/faulty_sys.h"
#include "support/support.h"

namespace mmh {
namespace {

TEST(TaskPool, WithOneThreadRunsEverythingOnTheCallerInOrder) {
  TaskPool pool(1);
  EXPECT_EQ(pool.threads(), 1u);
  std::vector<int> order;
  std::vector<TaskPool::Handle> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(pool.submit([&order, i, caller = std::this_thread::get_id()] {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      order.push_back(i);
    }));
  }
  EXPECT_TRUE(order.empty());
  pool.wait(tasks[4]);
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  pool.wait(tasks[9]);
  pool.wait(tasks[2]);
  EXPECT_EQ(order.size(), 10u);
}

TEST(TaskPool, WorkersOfASecondPoolAreNotConfinedByTheFirst) {
  const unsigned processors = available_processors();
  TaskPool first(processors);
  TaskPool second(processors + 1);  // not bound to one processor each
  std::barrier all(static_cast<std::ptrdiff_t>(processors) + 1);
  std::atomic<unsigned> confined{0};
  std::vector<TaskPool::Handle> tasks;
  for (unsigned i = 0; i <= processors; ++i) {
    tasks.push_back(second.submit([&, caller = std::this_thread::get_id()] {
      all.arrive_and_wait();
      cpu_set_t set;
      ::sched_getaffinity(0, sizeof set, &set);
      if (std::this_thread::get_id() != caller && CPU_COUNT(&set) == 1 && processors > 1) ++confined;
    }));
  }
  for (const auto& task : tasks) second.wait(task);
  EXPECT_EQ(confined, 0u);
}

class TaskPoolThreads : public ::testing::TestWithParam<unsigned> {};

TEST_P(TaskPoolThreads, APipelineGivesTheSameAtAnyNumberOfThreads) {
  TaskPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  constexpr std::size_t kTasks = 20'000, kWindow = 16;
  struct Job {
    std::uint64_t result = 0;
    TaskPool::Handle task;
  };
  std::deque<std::shared_ptr<Job>> window;
  std::vector<std::uint64_t> results;
  const auto pop = [&] {
    pool.wait(window.front()->task);
    results.push_back(window.front()->result);
    window.pop_front();
  };
  for (std::size_t i = 0; i < kTasks; ++i) {
    auto job = std::make_shared<Job>();
    job->task = pool.submit([job = job.get(), i] { job->result = i * i; });
    window.push_back(std::move(job));
    if (window.size() > kWindow) pop();
  }
  while (!window.empty()) pop();
  ASSERT_EQ(results.size(), kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) ASSERT_EQ(results[i], i * i);
}

TEST_P(TaskPoolThreads, AllThreadsWorkAtOnce) {
  // Every task waits for all others: a wake-up lost, and this never ends.
  TaskPool pool(GetParam());
  for (int round = 0; round < 200; ++round) {
    std::barrier all(static_cast<std::ptrdiff_t>(GetParam()));
    std::vector<TaskPool::Handle> tasks;
    for (unsigned i = 0; i < GetParam(); ++i) tasks.push_back(pool.submit([&all] { all.arrive_and_wait(); }));
    for (const auto& task : tasks) pool.wait(task);
  }
}

TEST_P(TaskPoolThreads, ManyCallersMaySubmitAndWait) {
  TaskPool pool(GetParam());
  std::atomic<int> ran{0};
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int round = 0; round < 300; ++round) {
          const auto one = pool.submit([&] { ++ran; });
          const auto two = pool.submit([&] { ++ran; });
          pool.wait(two);
          pool.wait(one);
        }
      });
    }
  }
  EXPECT_EQ(ran, 4 * 300 * 2);
}

TEST_P(TaskPoolThreads, TasksMaySubmitTasks) {
  TaskPool pool(GetParam());
  std::atomic<int> ran{0};
  std::mutex mutex;
  std::vector<TaskPool::Handle> inner;
  std::vector<TaskPool::Handle> outer;
  for (int i = 0; i < 200; ++i) {
    outer.push_back(pool.submit([&] {
      auto task = pool.submit([&] { ++ran; });
      const std::lock_guard lock(mutex);
      inner.push_back(std::move(task));
    }));
  }
  for (const auto& task : outer) pool.wait(task);
  for (const auto& task : inner) pool.wait(task);
  EXPECT_EQ(ran, 200);
}

TEST_P(TaskPoolThreads, GoingAwayWaitsForWhatRunsAndDropsTheRest) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto token = std::make_shared<int>(0);
  {
    TaskPool pool(GetParam());
    for (int i = 0; i < 1000; ++i) {
      pool.submit([&, token] {
        ++begun;
        std::this_thread::yield();
        ++ended;
      });
    }
  }
  EXPECT_EQ(begun, ended);
  EXPECT_EQ(token.use_count(), 1) << "a dropped task kept what it held";
}

INSTANTIATE_TEST_SUITE_P(Threads, TaskPoolThreads, ::testing::Values(1, 2, 7));

TEST(TaskPool, ACallerThatWaitsHelpsWithWhatComesLater) {
  TaskPool pool(2);
  std::latch started(1);
  std::latch released(1);
  const auto blocking = pool.submit([&] {
    started.count_down();
    released.wait();
  });
  started.wait();  // so the only worker is busy, and only the caller can take what comes
  std::jthread other([&] {
    // Long enough, nearly always, for the caller to be asleep by then.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.submit([&] { released.count_down(); });
  });
  pool.wait(blocking);
}

TEST(TaskPool, FreesWhatATaskHoldsOnceItIsDone) {
  TaskPool pool(1);
  const auto token = std::make_shared<int>(0);
  const auto task = pool.submit([token] {});
  EXPECT_EQ(token.use_count(), 2);
  pool.wait(task);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(TaskPool, LeavesTheCallersAffinityAsItWas) {
  cpu_set_t before, after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  {
    TaskPool pool(available_processors());
  }
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_GE(available_processors(), 1u);
  EXPECT_LE(available_processors(), static_cast<unsigned>(CPU_COUNT(&before)));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(TaskPool, WorksWithFewerThreadsThanTheSystemRefusesToGive) {
  const int status = test::in_child([] {
    const rlimit tight{std::size_t{1} << 28, std::size_t{1} << 28};  // room for some of the stacks
    if (::setrlimit(RLIMIT_AS, &tight) != 0) ::_exit(1);
    TaskPool pool(500);
    if (pool.threads() >= 500) ::_exit(2);
    int ran = 0;
    const auto task = pool.submit([&] { ++ran; });
    pool.wait(task);
    if (ran != 1) ::_exit(3);
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

}  // namespace
}  // namespace mmh
