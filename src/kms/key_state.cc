#include "kms/key_state.h"

#include <array>

namespace keyhold::kms {
namespace {

enum class Verdict : std::uint8_t { kOk, kDisabled, kPendingDeletion, kNotPendingDeletion };

constexpr std::size_t kStates = 3;
static_assert(static_cast<std::size_t>(KeyState::kPendingDeletion) + 1 == kStates);

// Columns in the order of KeyState: Enabled, Disabled, PendingDeletion. Rows in the order of
// StateRule.
constexpr std::array<std::array<Verdict, kStates>, 4> kTable{{
    {Verdict::kOk, Verdict::kOk, Verdict::kOk},
    {Verdict::kOk, Verdict::kDisabled, Verdict::kPendingDeletion},
    {Verdict::kOk, Verdict::kOk, Verdict::kPendingDeletion},
    {Verdict::kNotPendingDeletion, Verdict::kNotPendingDeletion, Verdict::kOk},
}};

}  // namespace

Result<void> check_state(StateRule rule, const Key& key) {
  const auto row = static_cast<std::size_t>(rule);
  const auto column = static_cast<std::size_t>(key.record().state);
  switch (kTable.at(row).at(column)) {
    case Verdict::kOk:
      break;
    case Verdict::kDisabled:
      return Error(ErrorCode::kDisabled, key.arn() + " is disabled.");
    case Verdict::kPendingDeletion:
      return Error(ErrorCode::kKmsInvalidState, key.arn() + " is pending deletion.");
    case Verdict::kNotPendingDeletion:
      return Error(ErrorCode::kKmsInvalidState, key.arn() + " is not pending deletion.");
  }
  return {};
}

}  // namespace keyhold::kms
