#include "pkcs11/call_counts.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace keyhold::pkcs11 {
namespace {

using Totals = std::map<std::pair<std::string, CK_RV>, std::uint64_t>;

/// A thread's counts. Only that thread adds rows; others read while it counts.
class Table {
 public:
  void count(const char* function, CK_RV rv) noexcept {
    for (std::size_t i = place_of(function, rv), left = kRows; left > 0;
         i = (i + 1) % kRows, --left) {
      Row& row = rows_[i];
      const char* known = row.function.load(std::memory_order_relaxed);
      if (known == nullptr) {
        row.rv = rv;
        row.function.store(function, std::memory_order_release);
      } else if (known != function || row.rv != rv) {
        continue;
      }
      row.count.store(row.count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return;
    }
    // A token that answers so many things is told of no further.
  }

  void add_to(Totals& totals) const {
    for (const Row& row : rows_) {
      const char* function = row.function.load(std::memory_order_acquire);
      if (function == nullptr) continue;
      totals[{function, row.rv}] += row.count.load(std::memory_order_relaxed);
    }
  }

 private:
  // Some 40 functions are called, and few answers are met of each.
  static constexpr std::size_t kRows = 256;
  struct Row {
    std::atomic<const char*> function{nullptr};
    CK_RV rv = CKR_OK;  ///< written before `function`, and never again
    std::atomic<std::uint64_t> count{0};
  };

  static std::size_t place_of(const char* function, CK_RV rv) {
    const auto address = reinterpret_cast<std::uintptr_t>(function);
    return (address / 8 * 31 + static_cast<std::size_t>(rv) * 7) % kRows;
  }

  std::array<Row, kRows> rows_;
};

/// Every thread's table, and what ended threads left. Lives as long as the last thread does.
struct Registry {
  std::mutex mutex;
  std::vector<const Table*> tables;
  Totals of_ended;

  static const std::shared_ptr<Registry>& instance() {
    static const auto registry = std::make_shared<Registry>();
    return registry;
  }
};

class OfThread {
 public:
  OfThread() {
    const std::lock_guard lock(registry_->mutex);
    registry_->tables.push_back(&table);
  }
  ~OfThread() {
    const std::lock_guard lock(registry_->mutex);
    table.add_to(registry_->of_ended);
    std::erase(registry_->tables, &table);
  }
  OfThread(const OfThread&) = delete;
  OfThread& operator=(const OfThread&) = delete;

  Table table;

 private:
  const std::shared_ptr<Registry> registry_ = Registry::instance();
};

}  // namespace

void count_call(const char* function, CK_RV rv) noexcept {
  thread_local OfThread mine;
  mine.table.count(function, rv);
}

std::vector<CallCount> read_call_counts() {
  const auto& registry = Registry::instance();
  const std::lock_guard lock(registry->mutex);
  Totals totals = registry->of_ended;
  for (const Table* table : registry->tables) table->add_to(totals);
  std::vector<CallCount> counts;
  for (const auto& [call, count] : totals) counts.push_back({call.first, call.second, count});
  return counts;
}

}  // namespace keyhold::pkcs11
