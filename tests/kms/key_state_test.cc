#include "kms/key_state.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;

struct Cell {
  StateRule rule;
  KeyState state;
  std::optional<ErrorCode> code;
  std::string_view text;  ///< after the ARN
};

// Developer guide, "Key states of AWS KMS keys": the columns Enabled, Disabled and PendingDeletion
// of the rows that each rule stands for.
constexpr auto kTable = std::to_array<Cell>({
    {StateRule::kAnyState, KeyState::kEnabled, std::nullopt, ""},
    {StateRule::kAnyState, KeyState::kDisabled, std::nullopt, ""},
    {StateRule::kAnyState, KeyState::kPendingDeletion, std::nullopt, ""},
    {StateRule::kEnabled, KeyState::kEnabled, std::nullopt, ""},
    {StateRule::kEnabled, KeyState::kDisabled, ErrorCode::kDisabled, " is disabled."},
    {StateRule::kEnabled, KeyState::kPendingDeletion, ErrorCode::kKmsInvalidState,
     " is pending deletion."},
    {StateRule::kNotPendingDeletion, KeyState::kEnabled, std::nullopt, ""},
    {StateRule::kNotPendingDeletion, KeyState::kDisabled, std::nullopt, ""},
    {StateRule::kNotPendingDeletion, KeyState::kPendingDeletion, ErrorCode::kKmsInvalidState,
     " is pending deletion."},
    {StateRule::kPendingDeletion, KeyState::kEnabled, ErrorCode::kKmsInvalidState,
     " is not pending deletion."},
    {StateRule::kPendingDeletion, KeyState::kDisabled, ErrorCode::kKmsInvalidState,
     " is not pending deletion."},
    {StateRule::kPendingDeletion, KeyState::kPendingDeletion, std::nullopt, ""},
});

TEST(KeyState, AllowsAndRefusesAsAwsTableHasIt) {
  for (const Cell& cell : kTable) {
    auto record = a_key_record();
    record.state = cell.state;
    const Key key = a_key(record);
    const auto verdict = check_state(cell.rule, key);
    const auto where = std::string(to_string(cell.state)) + ", rule " +
                       std::to_string(static_cast<int>(cell.rule));
    ASSERT_EQ(verdict.has_value(), !cell.code.has_value()) << where;
    if (!cell.code) continue;
    EXPECT_EQ(verdict.error().code(), *cell.code) << where;
    EXPECT_EQ(verdict.error().message(), key.arn() + std::string(cell.text)) << where;
  }
}

}  // namespace
}  // namespace keyhold::kms
