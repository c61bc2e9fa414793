// Time as a parameter.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

namespace keyhold {

/// An instant with the resolution AWS shows: milliseconds since the epoch, UTC.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;
using std::chrono::milliseconds;

inline constexpr auto kDay = std::chrono::hours(24);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
};

/// Another clock, moved forward by a settable amount: the domain's clock in dev mode.
class OffsetClock final : public Clock {
 public:
  OffsetClock(const Clock& base, milliseconds offset) : base_(base), offset_(offset) {}
  TimePoint now() const override { return base_.now() + offset_.load(); }
  void set_offset(milliseconds offset) { offset_.store(offset); }

 private:
  const Clock& base_;
  std::atomic<milliseconds> offset_;
};

/// A clock that moves when a test moves it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start) : now_(start) {}
  TimePoint now() const override { return now_.load(); }
  void set(TimePoint now) { now_.store(now); }
  void advance(milliseconds by) { now_.store(now_.load() + by); }

 private:
  std::atomic<TimePoint> now_;
};

/// `2026-11-24T15:04:05Z`, the form of CloudTrail's eventTime. Times before the year 0 and after
/// 9999, in this and the next form, read as the first and the last second of those, so that a far
/// date never reads as a near one.
std::string to_iso8601(TimePoint time);

/// `20261124T150405Z`, the basic form of SigV4's X-Amz-Date.
std::string to_basic_iso8601(TimePoint time);

}  // namespace keyhold
