// Due work: automatic rotations, the ends of waiting periods and of key materials, and whatever a
// crash or a fault left half done. One thread, on the domain's clock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "kms/domain.h"

namespace keyhold::kms {

/// Writes down the last uses of keys, as far as they are not written yet.
void save_usages(Domain& domain);

class Lifecycle {
 public:
  explicit Lifecycle(Domain& domain);
  ~Lifecycle();
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  void start();
  void stop();

  /// Asks for a round soon.
  void wake();
  /// Asks for a round that begins now and waits for its end. Failed work is tried again in it
  /// without waiting for its back-off.
  void run_now();

 private:
  void work();
  void run_round(bool retry_all);
  /// Whether a key's failed work may be tried again now.
  bool may_try(const std::string& key_id, bool retry_all);
  void note(const std::string& key_id, const Result<void>& outcome);
  /// Carries on with a rotation of the wrapping key, and withdraws what is left of one.
  void rewrap(bool retry_all);
  Result<void> rotate(const Key& key);
  /// Whatever of a key's has its date come.
  Result<void> do_due(const Key& key);
  /// What was interrupted of a key's rotation, import or removal of material.
  Result<void> take_up(const Key& key);

  struct BackOff {
    int failures = 0;
    std::chrono::steady_clock::time_point next_try;
  };

  Domain& domain_;
  std::unordered_map<std::string, BackOff> back_offs_;
  std::chrono::steady_clock::time_point next_usage_save_{};  // the worker's own

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  std::uint64_t rounds_asked_ = 0;
  std::uint64_t rounds_done_ = 0;
  std::thread thread_;
};

}  // namespace keyhold::kms
