#include "mmh/base/task_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>

#include "mmh/base/check.h"

namespace mmh {

namespace {
// What this thread could use before a pool bound it; empty where none did.
thread_local std::vector<std::size_t> unbound_processors;

std::vector<std::size_t> allowed_processors() {
  if (!unbound_processors.empty()) return unbound_processors;
  std::vector<std::size_t> allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
    }
  }
  return allowed;
}

// A hint: failure is harmless.
void bind(pthread_t thread, const std::vector<std::size_t>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::size_t cpu : cpus) CPU_SET(cpu, &set);
  static_cast<void>(pthread_setaffinity_np(thread, sizeof set, &set));
}

// "MAX PERIOD" in microseconds, or "max PERIOD"; 0 for no limit.
std::size_t processors_of_quota(const std::string& file) {
  std::ifstream in(file);
  std::uint32_t quota = 0;
  std::uint32_t period = 0;
  if (!(in >> quota >> period) || quota == 0 || period == 0) return 0;
  return (std::size_t{quota} + period - 1) / period;
}

// The tightest limit of this process's control group (version 2) and those above it; 0 for none. A container that may
// use two processors of sixty-four sees all of them in its affinity mask.
std::size_t processors_of_control_group() {
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line) && !line.starts_with("0::/")) {
  }
  if (!line.starts_with("0::/")) return 0;
  std::size_t least = 0;
  for (std::string group = line.substr(3);; group.erase(group.rfind('/'))) {
    const std::size_t here = processors_of_quota("/sys/fs/cgroup" + group + "/cpu.max");
    if (here != 0 && (least == 0 || here < least)) least = here;
    if (group.empty()) return least;
  }
}
}  // namespace

unsigned available_processors() {
  std::size_t count = allowed_processors().size();
  // Machines with more processors than the mask holds.
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  if (const std::size_t quota = processors_of_control_group(); quota != 0) count = std::min(count, quota);
  return static_cast<unsigned>(count);
}

TaskPool::TaskPool(unsigned threads) {
  MMH_CHECK(threads >= 1);
  const auto cpus = allowed_processors();
  const bool use_all = threads > 1 && threads == cpus.size();
  workers_.reserve(threads - 1);
  for (unsigned i = 1; i < threads; ++i) {
    try {
      workers_.emplace_back([this] { work_loop(); });
    } catch (const std::system_error&) {
      break;  // The system gives no more threads; the work gets done with fewer.
    }
    // Not bound to one, they still must not inherit the one that another pool bound this thread to.
    bind(workers_.back().native_handle(), use_all ? std::vector{cpus[i]} : cpus);
  }
  if (use_all && unbound_processors.empty()) {
    binds_caller_ = true;
    unbound_processors = cpus;
    bind(pthread_self(), std::vector{cpus[0]});
  }
}

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  work_there_.notify_all();
  workers_.clear();
  if (binds_caller_) {
    bind(pthread_self(), unbound_processors);
    unbound_processors.clear();
  }
}

TaskPool::Handle TaskPool::submit(std::function<void()> work) {
  auto task = std::make_shared<Task>();
  task->work_ = std::move(work);
  bool worker_idle = false;
  bool caller_blocked = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(task);
    worker_idle = idle_workers_ > 0;
    caller_blocked = blocked_callers_ > 0;
  }
  if (worker_idle) {
    work_there_.notify_one();
  } else if (caller_blocked) {
    // Each looks whether its own task is done first, so waking only one could find no taker.
    task_done_.notify_all();
  }
  return task;
}

void TaskPool::run_next(std::unique_lock<std::mutex>& lock) noexcept {
  const Handle task = std::move(queue_.front());
  queue_.pop_front();
  lock.unlock();
  task->work_();
  task->work_ = nullptr;
  lock.lock();
  task->done_.store(true, std::memory_order_release);
  if (task->awaited_) task_done_.notify_all();
}

void TaskPool::wait(const Handle& task) {
  if (task->done_.load(std::memory_order_acquire)) return;
  std::unique_lock lock(mutex_);
  while (!task->done_.load(std::memory_order_relaxed)) {
    if (!queue_.empty()) {
      run_next(lock);
      continue;
    }
    task->awaited_ = true;
    ++blocked_callers_;
    task_done_.wait(lock);
    --blocked_callers_;
  }
}

void TaskPool::work_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!queue_.empty()) {
      run_next(lock);
    } else if (stopping_) {
      return;
    } else {
      ++idle_workers_;
      work_there_.wait(lock);
      --idle_workers_;
    }
  }
}

}  // namespace mmh
