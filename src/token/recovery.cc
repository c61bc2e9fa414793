#include "token/recovery.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"

namespace keyhold::token {
namespace {

constexpr std::chrono::milliseconds kTick{1000};

/// Between half of `time` and all of it, so that nodes that lost one token do not return in step.
std::chrono::milliseconds jittered(std::chrono::milliseconds time, Random& random) {
  std::array<std::uint8_t, 4> bytes{};
  random.fill(bytes);
  std::uint32_t number;
  std::memcpy(&number, bytes.data(), sizeof number);
  const std::int64_t half = time.count() / 2;
  return std::chrono::milliseconds(time.count() - (half == 0 ? 0 : number % (half + 1)));
}

}  // namespace

Recovery::Recovery(CallGate& gate, const Profile& profile, Random& random, Actions actions)
    : gate_(gate), profile_(profile), random_(random), actions_(std::move(actions)) {}

Recovery::~Recovery() { stop(); }

void Recovery::start() {
  thread_ = std::thread([this] { run(); });
}

void Recovery::stop() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Recovery::report(std::uint64_t recoveries, std::string_view what) {
  std::lock_guard lock(mutex_);
  if (wanted_ || ending_ || recoveries != done_.load()) return;
  wanted_ = true;
  gate_.close();
  log::error("token: gone, calls are refused until it is back: " + std::string(what));
  changed_.notify_all();
}

bool Recovery::wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds time) {
  changed_.wait_for(lock, time, [this] { return ending_; });
  return !ending_;
}

void Recovery::run() {
  const auto look =
      std::min(kTick, std::max(profile_.call_timeout / 4, std::chrono::milliseconds(1)));
  auto ticked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, look, [this] { return ending_ || wanted_; });
    if (ending_) return;
    if (!wanted_ && gate_.hanging(profile_.call_timeout) != 0) {
      wanted_ = true;
      gate_.close();
      log::error("token: a call has not come back in time; calls are refused until it does");
    }
    if (wanted_) {
      lock.unlock();
      recover();
      lock.lock();
    } else if (const auto now = std::chrono::steady_clock::now(); now - ticked >= kTick) {
      ticked = now;
      lock.unlock();
      actions_.tick();
      lock.lock();
    }
  }
}

void Recovery::recover() {
  auto pause = profile_.backoff_first;
  for (;;) {
    // A thread inside cannot be called back, and finalising under it would end the process.
    while (gate_.drain(kTick) == CallGate::Drained::kNo) {
      std::unique_lock lock(mutex_);
      if (ending_) return;
    }
    const auto restarted = actions_.restart();
    std::unique_lock lock(mutex_);
    if (restarted) {
      done_.fetch_add(1);
      wanted_ = false;
      gate_.open();
      log::warning("token: back");
      return;
    }
    log::error("token: not back: " + restarted.error().detail());
    if (!actions_.may_try_again()) {
      log::error("token: not tried again, so that nobody locks it; restart with the right PIN");
      changed_.wait(lock, [this] { return ending_; });
      return;
    }
    if (!wait(lock, jittered(pause, random_))) return;
    pause = std::min(pause * 2, profile_.backoff_last);
  }
}

}  // namespace keyhold::token
