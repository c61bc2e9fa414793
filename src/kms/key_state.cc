#include "kms/key_state.h"

#include <array>

namespace keyhold::kms {
namespace {

enum class Verdict : std::uint8_t {
  kOk,
  kDisabled,
  kPendingDeletion,
  kNotPendingDeletion,
  kPendingImport,
  kExternal,
};
using enum Verdict;

constexpr std::size_t kStates = 4;
static_assert(static_cast<std::size_t>(KeyState::kPendingImport) + 1 == kStates);

// Columns in the order of KeyState: Enabled, Disabled, PendingDeletion, PendingImport. Rows in the
// order of StateRule.
constexpr std::array<std::array<Verdict, kStates>, 8> kTable{{
    {kOk, kOk, kOk, kOk},
    {kOk, kDisabled, kPendingDeletion, kPendingImport},
    {kOk, kOk, kPendingDeletion, kOk},
    {kNotPendingDeletion, kNotPendingDeletion, kOk, kNotPendingDeletion},
    {kOk, kOk, kPendingDeletion, kPendingImport},
    {kOk, kDisabled, kPendingDeletion, kExternal},
    {kOk, kOk, kOk, kExternal},
    {kOk, kDisabled, kPendingDeletion, kOk},
}};

}  // namespace

Result<void> check_state(StateRule rule, const Key& key) {
  const auto row = static_cast<std::size_t>(rule);
  const auto column = static_cast<std::size_t>(key.record().state);
  switch (kTable.at(row).at(column)) {
    case kOk:
      break;
    case kDisabled:
      return Error(ErrorCode::kDisabled, key.arn() + " is disabled.");
    case kPendingDeletion:
      return Error(ErrorCode::kKmsInvalidState, key.arn() + " is pending deletion.");
    case kNotPendingDeletion:
      return Error(ErrorCode::kKmsInvalidState, key.arn() + " is not pending deletion.");
    case kPendingImport:
      return Error(ErrorCode::kKmsInvalidState, key.arn() + " is pending import.");
    case kExternal:
      return check_origin(KeyOrigin::kAwsKms, key);
  }
  return {};
}

Result<void> check_origin(KeyOrigin origin, const Key& key) {
  if (key.record().origin == origin) return {};
  return Error(ErrorCode::kUnsupportedOperation, key.arn() + " origin is " +
                                                     std::string(to_string(key.record().origin)) +
                                                     " which is not valid for this operation.");
}

}  // namespace keyhold::kms
