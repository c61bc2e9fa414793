// The threads on which handlers run, behind a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace keyhold::http {

class WorkerPool {
 public:
  using Task = std::function<void()>;

  enum class Submitted : std::uint8_t {
    kAccepted,  ///< the task will run
    kFull,      ///< the queue is at its limit; the task was dropped
    kStopped,   ///< stop() was called; the task was dropped
  };

  /// Starts `threads` (at least one) threads that the system lists as "<name>-0", "<name>-1" and so
  /// on, cut to the 15 characters it allows. `queue_limit` counts the tasks that wait, not those
  /// that run. Throws std::system_error when a thread cannot be started.
  WorkerPool(const std::string& name, std::size_t threads, std::size_t queue_limit);
  ~WorkerPool();  ///< stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Queues a task; never waits for a place. Tasks start in the order in which they were accepted.
  /// One that throws is a bug: it is logged, and its thread goes on.
  [[nodiscard]] Submitted submit(Task task);

  /// Accepts nothing more, runs what is queued, and returns when every thread has ended. May be
  /// called again, and from several threads; not from a task, which would wait for itself.
  void stop();

  std::size_t waiting() const;  ///< tasks queued and not started

 private:
  void work(const std::string& name);

  const std::size_t queue_limit_;
  mutable std::mutex mutex_;  // guards queue_ and stopping_
  std::condition_variable wake_;
  std::deque<Task> queue_;
  bool stopping_ = false;
  std::mutex join_mutex_;  // guards threads_ once the constructor is done
  std::vector<std::thread> threads_;
};

/// Gives the calling thread the name by which the system lists it, cut to 15 characters.
void name_this_thread(const std::string& name);

}  // namespace keyhold::http
