#include "kms/key_changes.h"

#include <type_traits>
#include <utility>

#include "kms/key_state.h"
#include "kms/rotation.h"
#include "kms/tag.h"

namespace keyhold::kms {
namespace {

constexpr int kMinPendingWindowDays = 7;
constexpr int kMaxPendingWindowDays = 30;

// The one way a key's row is changed: under its lock, from its newest state, if the rule allows,
// and unless `apply` answers an error.
template <typename Change>
Result<void> change_from(Domain& domain, const Key& key, StateRule rule, const Change& apply) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(rule, *newest));
  store::KeyRecord record = newest->record();
  TRY(apply(*newest, record));
  return write_key(domain, *newest, std::move(record));
}

// The same for what needs no more than the row.
template <typename Change>
Result<void> change(Domain& domain, const Key& key, StateRule rule, const Change& apply) {
  return change_from(domain, key, rule, [&](const Key&, store::KeyRecord& record) -> Result<void> {
    if constexpr (std::is_void_v<std::invoke_result_t<Change, store::KeyRecord&>>) {
      apply(record);
      return {};
    } else {
      return apply(record);
    }
  });
}

}  // namespace

Result<void> update_description(Domain& domain, const Key& key, std::string_view description) {
  return change(domain, key, StateRule::kNotPendingDeletion,
                [&](store::KeyRecord& record) { record.description = description; });
}

Result<void> enable_key(Domain& domain, const Key& key) {
  return change(domain, key, StateRule::kHasMaterial,
                [](store::KeyRecord& record) { record.state = KeyState::kEnabled; });
}

Result<void> disable_key(Domain& domain, const Key& key) {
  return change(domain, key, StateRule::kHasMaterial,
                [](store::KeyRecord& record) { record.state = KeyState::kDisabled; });
}

Result<TimePoint> schedule_deletion(Domain& domain, const Key& key, int pending_window_days) {
  if (pending_window_days < kMinPendingWindowDays || pending_window_days > kMaxPendingWindowDays) {
    return Error(ErrorCode::kValidation, "PendingWindowInDays must be between 7 and 30");
  }
  const TimePoint at = domain.clock.now() + kDay * pending_window_days;
  TRY(change(domain, key, StateRule::kNotPendingDeletion, [&](store::KeyRecord& record) {
    record.state = KeyState::kPendingDeletion;
    record.deletion_at = at;
  }));
  return at;
}

Result<void> cancel_deletion(Domain& domain, const Key& key) {
  return change_from(domain, key, StateRule::kPendingDeletion,
                     [](const Key& newest, store::KeyRecord& record) -> Result<void> {
                       record.state = newest.has_all_material() ? KeyState::kDisabled
                                                                : KeyState::kPendingImport;
                       record.deletion_at.reset();
                       return {};
                     });
}

Result<void> put_policy(Domain& domain, const Key& key, std::string_view text) {
  return change(domain, key, StateRule::kAnyState,
                [&](store::KeyRecord& record) { record.policy = text; });
}

Result<void> tag_key(Domain& domain, const Key& key, std::span<const store::Tag> tags) {
  return change(domain, key, StateRule::kNotPendingDeletion,
                [&](store::KeyRecord& record) -> Result<void> {
                  TRY_ASSIGN(record.tags, merge_tags(std::move(record.tags), tags));
                  return {};
                });
}

Result<void> untag_key(Domain& domain, const Key& key, std::span<const std::string> tag_keys) {
  return change(domain, key, StateRule::kNotPendingDeletion,
                [&](store::KeyRecord& record) -> Result<void> {
                  TRY_ASSIGN(record.tags, remove_tags(std::move(record.tags), tag_keys));
                  return {};
                });
}

Result<void> enable_rotation(Domain& domain, const Key& key, int period_days) {
  TRY(check_rotates(key));
  TRY(check_origin(KeyOrigin::kAwsKms, key));
  return change(domain, key, StateRule::kRotated, [&](store::KeyRecord& record) {
    record.rotation_enabled = true;
    record.rotation_period_days = period_days;
    record.next_rotation_at = domain.clock.now() + kDay * period_days;
  });
}

Result<void> disable_rotation(Domain& domain, const Key& key) {
  TRY(check_origin(KeyOrigin::kAwsKms, key));
  return change(domain, key, StateRule::kRotated, [](store::KeyRecord& record) {
    record.rotation_enabled = false;
    record.rotation_period_days = 0;
    record.next_rotation_at.reset();
  });
}

}  // namespace keyhold::kms
