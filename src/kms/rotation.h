// The rules of rotation: how often, when, and when not (API reference, "RotateKeyOnDemand" and
// "EnableKeyRotation"; developer guide, "Rotate AWS KMS keys"). Pure functions of a key and a time.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "kms/key.h"

namespace keyhold::kms {

/// AWS's page of 2024 and its successor of 2025. Both are real; a deployment says which it follows.
enum class RotationRules : std::uint8_t { k2024, k2025 };

std::optional<RotationRules> parse_rotation_rules(std::string_view text);

/// What differs between them.
struct RotationRulesRow {
  std::string_view name;
  int on_demand_limit;  ///< completed on-demand rotations a key may have
  /// Whether keys whose material is imported may have several, be rotated to them on demand, and be
  /// asked for their rotation.
  enum class Imported : std::uint8_t { kNotRotated, kRotated } imported;
};
const RotationRulesRow& rotation_rules_row(RotationRules rules);

inline constexpr int kDefaultRotationPeriodDays = 365;

/// RotateKeyOnDemand is refused when an automatic rotation is due within this time.
inline constexpr auto kOnDemandGuard = std::chrono::minutes(20);

/// kUnsupportedOperation (no message), as AWS answers, for a key whose material is never rotated:
/// asymmetric and HMAC keys.
Result<void> check_rotates(const Key& key);

/// Whether an on-demand rotation may begin: kConflict while a rotation runs or an automatic one is
/// due within kOnDemandGuard, kLimitExceeded when the key has had as many as the rules allow. Of a
/// key whose material is imported, also whether there is one to rotate to. See also
/// check_rotates().
Result<void> check_on_demand_rotation(const Key& key, RotationRules rules, TimePoint now);

/// Whether an automatic rotation is due and may begin: the key is enabled, its date has come, and
/// no rotation runs.
bool automatic_rotation_due(const Key& key, TimePoint now);

/// The date after a rotation that was scheduled for `scheduled` and done at `now`: the first of the
/// schedule's grid after now, so that missed dates are made up for by one rotation.
TimePoint next_rotation_after(TimePoint scheduled, int period_days, TimePoint now);

/// What GetKeyRotationStatus answers.
struct RotationStatus {
  bool enabled = false;
  std::optional<int> period_days;
  std::optional<TimePoint> next_rotation_at;
  std::optional<TimePoint> on_demand_started_at;
};
/// kUnsupportedOperation, with AWS's text, for a key of which the rules tell nothing.
Result<RotationStatus> rotation_status(const Key& key, RotationRules rules);

}  // namespace keyhold::kms
