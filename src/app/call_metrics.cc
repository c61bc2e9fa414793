#include "app/call_metrics.h"

#include <algorithm>
#include <stdexcept>

#include "api/operation.h"

namespace keyhold::app {

CallMetrics::CallMetrics() {
  for (const api::Operation* operation : api::operations()) operations_.push_back(operation->name);
  for (const auto& missing : api::missing_operations()) operations_.push_back(missing.name);
  operations_.push_back(kSts);
  operations_.push_back(kUnknown);  // the last: what is looked for in vain
  if (operations_.size() > kMaxOperations) throw std::logic_error("kMaxOperations is too small");
  for (std::size_t i = 0; i < operations_.size(); ++i) indices_.emplace(operations_[i], i);
}

std::size_t CallMetrics::index_of(std::string_view operation) const {
  const auto found = indices_.find(operation);
  return found == indices_.end() ? index_of_unknown() : found->second;
}

void CallMetrics::note(std::size_t index, std::optional<ErrorCode> error,
                       std::chrono::nanoseconds time) {
  auto& counts = here_.here()[index];
  const auto add = [](std::atomic<std::uint64_t>& number, std::uint64_t count) {
    number.fetch_add(count, std::memory_order_relaxed);
  };
  add(counts.outcomes[error ? 1 + static_cast<std::size_t>(*error) : 0], 1);
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(time).count();
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), micros);
  add(counts.times[static_cast<std::size_t>(bucket - kBounds.begin())], 1);
  add(counts.nanoseconds, static_cast<std::uint64_t>(time.count()));
}

std::vector<CallMetrics::Row> CallMetrics::read() {
  const std::lock_guard lock(mutex_);
  here_.for_each([this](OfThread& thread) {
    const auto move = [](std::atomic<std::uint64_t>& from, std::uint64_t& to) {
      if (from.load(std::memory_order_relaxed) == 0) return;  // leaves the line with its owner
      to += from.exchange(0, std::memory_order_relaxed);
    };
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      for (std::size_t j = 0; j < totals_[i].outcomes.size(); ++j) {
        move(thread[i].outcomes[j], totals_[i].outcomes[j]);
      }
      for (std::size_t j = 0; j < totals_[i].times.size(); ++j) {
        move(thread[i].times[j], totals_[i].times[j]);
      }
      move(thread[i].nanoseconds, totals_[i].nanoseconds);
    }
  });
  std::vector<Row> rows;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const auto& total = totals_[i];
    Row row{operations_[i], total.outcomes[0], {}, total.times, total.nanoseconds};
    for (std::size_t j = 1; j < total.outcomes.size(); ++j) {
      if (total.outcomes[j] != 0) {
        row.failed.emplace_back(static_cast<ErrorCode>(j - 1), total.outcomes[j]);
      }
    }
    if (row.succeeded != 0 || !row.failed.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace keyhold::app
