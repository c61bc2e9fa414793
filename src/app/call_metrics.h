// Calls counted, by operation and error, and how long they took.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/per_thread.h"

namespace keyhold::app {

/// Each thread counts in words of its own, and whoever reads takes them over, so that a call shares
/// nothing with another thread's.
class CallMetrics {
 public:
  /// Upper bounds of the histogram's buckets in microseconds; above the last is one more.
  static constexpr std::array<std::int64_t, 16> kBounds = {
      50,     100,    250,     500,     1'000,   2'500,     5'000,     10'000,
      25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};

  /// What is not an operation of KMS.
  static constexpr std::string_view kSts = "sts";          ///< calls of STS, together
  static constexpr std::string_view kUnknown = "unknown";  ///< refused before it was known

  CallMetrics();

  /// The place of an operation: that of kUnknown for what is none.
  std::size_t index_of(std::string_view operation) const;
  std::size_t index_of_unknown() const { return operations_.size() - 1; }

  /// Counts a call. `operation`: as KMS names it, kSts or kUnknown; `error`: nothing if it
  /// succeeded.
  void note(std::string_view operation, std::optional<ErrorCode> error,
            std::chrono::nanoseconds time) {
    note(index_of(operation), error, time);
  }
  void note(std::size_t index, std::optional<ErrorCode> error, std::chrono::nanoseconds time);

  struct Row {
    std::string_view operation;
    std::uint64_t succeeded = 0;
    std::vector<std::pair<ErrorCode, std::uint64_t>> failed;  ///< those that have happened
    std::array<std::uint64_t, kBounds.size() + 1> times{};    ///< calls by bucket, not cumulative
    std::uint64_t nanoseconds = 0;                            ///< of all of them
  };
  /// Since the process began; operations that were called.
  std::vector<Row> read();

 private:
  static constexpr std::size_t kErrors = 0
#define KEYHOLD_ERROR(code, wire_name, status, blame) +1
#include "base/error.def"
#undef KEYHOLD_ERROR
      ;
  static constexpr std::size_t kMaxOperations = 80;

  template <typename Number>
  struct Counts {
    std::array<Number, kErrors + 1> outcomes{};  ///< success, then the errors in their order
    std::array<Number, kBounds.size() + 1> times{};
    Number nanoseconds{};
  };
  using OfThread = std::array<Counts<std::atomic<std::uint64_t>>, kMaxOperations>;

  std::vector<std::string_view> operations_;
  std::unordered_map<std::string_view, std::size_t> indices_;
  PerThread<OfThread> here_;
  std::mutex mutex_;  // guards totals_
  std::array<Counts<std::uint64_t>, kMaxOperations> totals_{};
};

}  // namespace keyhold::app
