#include "kms/rotation.h"

#include <array>
#include <string>

#include "kms/key_state.h"

namespace keyhold::kms {
namespace {

// Rows in the order of RotationRules.
constexpr std::array<RotationRulesRow, 2> kRules{{
    {"2024", 10, RotationRulesRow::Imported::kNotRotated},
    {"2025", 25, RotationRulesRow::Imported::kRotated},
}};

}  // namespace

std::optional<RotationRules> parse_rotation_rules(std::string_view text) {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (kRules[i].name == text) return static_cast<RotationRules>(i);
  }
  return std::nullopt;
}

const RotationRulesRow& rotation_rules_row(RotationRules rules) {
  return kRules.at(static_cast<std::size_t>(rules));
}

Result<void> check_rotates(const Key& key) {
  if (key.record().spec == KeySpec::kSymmetricDefault) return {};
  return Error(ErrorCode::kUnsupportedOperation);
}

namespace {

bool has_pending(const Key& key) {
  const KeyMaterial* pending = key.pending_material();
  return pending != nullptr && pending->record.presence == store::MaterialPresence::kPresent;
}

std::string_view name_of(store::IntentKind kind) {
  switch (kind) {
    case store::IntentKind::kRotateAutomatic:
      return "An automatic rotation of ";
    case store::IntentKind::kImportKeyMaterial:
      return "An import of key material into ";
    default:
      return "An on-demand rotation of ";
  }
}

Result<void> check_imported_rotates(const Key& key, RotationRules rules) {
  if (key.record().origin != KeyOrigin::kExternal) return {};
  if (rotation_rules_row(rules).imported == RotationRulesRow::Imported::kNotRotated) {
    return check_origin(KeyOrigin::kAwsKms, key);
  }
  return check_state(StateRule::kHasMaterial, key);
}

}  // namespace

Result<void> check_on_demand_rotation(const Key& key, RotationRules rules, TimePoint now) {
  TRY(check_rotates(key));
  TRY(check_imported_rotates(key, rules));
  if (const auto& running = key.running_intent()) {
    return Error(ErrorCode::kConflict,
                 std::string(name_of(running->kind)) + key.arn() + " is in progress.");
  }
  const auto& next = key.record().next_rotation_at;
  if (next && *next <= now + kOnDemandGuard) {
    return Error(ErrorCode::kConflict, "An automatic rotation of " + key.arn() +
                                           " is scheduled to begin within the next 20 minutes.");
  }
  if (key.record().on_demand_rotations >= rotation_rules_row(rules).on_demand_limit) {
    return Error(ErrorCode::kLimitExceeded,
                 "The on-demand rotations limit has been reached for the given keyId. No more "
                 "on-demand rotations can be performed for this key: " +
                     key.arn());
  }
  if (key.record().origin == KeyOrigin::kExternal && !has_pending(key)) {
    return Error(ErrorCode::kKmsInvalidState,
                 "No available key material pending rotation for the key: " + key.arn() + ".");
  }
  return {};
}

bool automatic_rotation_due(const Key& key, TimePoint now) {
  const auto& record = key.record();
  return record.state == KeyState::kEnabled && record.rotation_enabled && record.next_rotation_at &&
         *record.next_rotation_at <= now && !key.running_intent();
}

TimePoint next_rotation_after(TimePoint scheduled, int period_days, TimePoint now) {
  const milliseconds period = kDay * period_days;
  if (now < scheduled) return scheduled;
  const auto missed = (now - scheduled) / period;
  return scheduled + period * (missed + 1);
}

Result<RotationStatus> rotation_status(const Key& key, RotationRules rules) {
  const auto& record = key.record();
  if (rotation_rules_row(rules).imported == RotationRulesRow::Imported::kNotRotated) {
    TRY(check_origin(KeyOrigin::kAwsKms, key));
  }
  RotationStatus status;
  const auto& running = key.running_intent();
  if (running && running->kind == store::IntentKind::kRotateOnDemand) {
    status.on_demand_started_at = running->started_at;
  }
  // A key that waits for its deletion shows rotation as off; cancelling brings the setting back
  // (developer guide, "Rotate AWS KMS keys").
  if (!record.rotation_enabled || record.state == KeyState::kPendingDeletion) return status;
  status.enabled = true;
  status.period_days = record.rotation_period_days;
  status.next_rotation_at = record.next_rotation_at;
  return status;
}

}  // namespace keyhold::kms
