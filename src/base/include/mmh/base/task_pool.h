#pragma once
// A small thread pool whose waiting caller helps: with one thread everything runs on the caller, in order.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace mmh {

/// Runs tasks on `threads - 1` workers and on whoever waits. Tasks start in submission order.
/// The serial stages of a pipeline (ordering, deduplication, writing) stay on the calling thread, which pops tasks in
/// the order it pushed them; so results never depend on the number of threads. Tasks must not throw and must not wait
/// for tasks themselves.
class TaskPool {
 public:
  /// A submitted task; wait() for it through the pool.
  class Task {
    friend class TaskPool;
    std::function<void()> work_;
    std::atomic<bool> done_{false};  // written under the pool's mutex
    bool awaited_ = false;           // guarded by the pool's mutex
  };
  using Handle = std::shared_ptr<Task>;

  /// `threads` >= 1 counts the caller; where the system gives fewer, threads() tells. Where that is every processor
  /// this process may use, each thread is bound to one of them (the caller until the pool goes): some kernels pack
  /// unbound threads onto one processor.
  explicit TaskPool(unsigned threads);
  /// Waits for running tasks; queued tasks that nobody waited for are dropped. On the thread
  /// that made the pool, and with no thread in wait().
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  Handle submit(std::function<void()> work);
  /// Returns when `task` is done, running queued tasks meanwhile.
  void wait(const Handle& task);
  unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

 private:
  void work_loop();
  void run_next(std::unique_lock<std::mutex>& lock) noexcept;

  std::mutex mutex_;
  // Two conditions, so that a wake-up meant for a worker never goes to a caller that has no use for it.
  std::condition_variable work_there_;
  std::condition_variable task_done_;
  unsigned idle_workers_ = 0;     // in work_there_.wait()
  unsigned blocked_callers_ = 0;  // in task_done_.wait()
  std::deque<Handle> queue_;
  bool stopping_ = false;
  bool binds_caller_ = false;
  std::vector<std::jthread> workers_;
};

/// Processors that this process may use: its affinity mask, or less where its control group has a quota; at least 1.
unsigned available_processors();

}  // namespace mmh
