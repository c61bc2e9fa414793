#include "http/worker_pool.h"

#include <pthread.h>

#include <exception>
#include <utility>

#include "base/log.h"

namespace keyhold::http {

void name_this_thread(const std::string& name) {
  constexpr std::size_t kMaxThreadName = 15;  // pthread_setname_np(3)
  pthread_setname_np(pthread_self(), name.substr(0, kMaxThreadName).c_str());
}

WorkerPool::WorkerPool(const std::string& name, std::size_t threads, std::size_t queue_limit)
    : queue_limit_(queue_limit) {
  threads_.reserve(threads);
  try {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, own_name = name + "-" + std::to_string(i)] { work(own_name); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

WorkerPool::~WorkerPool() { stop(); }

WorkerPool::Submitted WorkerPool::submit(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Submitted::kStopped;
    if (queue_.size() >= queue_limit_) return Submitted::kFull;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return Submitted::kAccepted;
}

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  const std::lock_guard lock(join_mutex_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::size_t WorkerPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void WorkerPool::work(const std::string& name) {
  name_this_thread(name);
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      task();
    } catch (const std::exception& bug) {
      log::error(name + ": a task threw: " + bug.what());
    } catch (...) {
      log::error(name + ": a task threw something that is no exception");
    }
  }
}

}  // namespace keyhold::http
