#include "kms/material_making.h"

#include <algorithm>

#include "base/log.h"
#include "kms/custody_keys.h"
#include "kms/key_state.h"

namespace keyhold::kms {
namespace {

store::MaterialRecord material_row(const Domain& domain, const store::IntentRecord& intent,
                                   const token::GeneratedMaterial& generated, int sequence) {
  store::MaterialRecord row;
  row.object_name = intent.object_name;
  row.key_id = intent.key_id;
  row.material_id = intent.object_name.hex();
  row.sequence = sequence;
  row.custody = generated.custody;
  row.construction = generated.construction;
  row.check_value = generated.check_value;
  row.public_key = generated.public_key;
  if (const auto& wrapped = generated.wrapped) {
    row.wrapped = store::WrappedRecord{wrapped->custody_key, wrapped->blob, wrapped->seal};
  }
  row.created_at = domain.clock.now();
  return row;
}

/// Generates, and where that fails looks at once whether the token made the key all the same.
/// `nothing_made` tells for certain that no usable object exists.
struct Attempt {
  Result<token::GeneratedMaterial> made;
  bool nothing_made = false;
};
Attempt generate(Domain& domain, const ObjectName& name, std::string_view key_id,
                 token::MaterialKind kind) {
  auto generated = make_material(domain, name, key_id, kind);
  if (generated) return {generated, false};
  log::warning("generating key material " + name.hex() + " failed: " + generated.error().detail());
  const auto adopted = domain.token.adopt_material(name, kind);
  if (!adopted) return {generated, false};
  if (!*adopted) return {generated, true};
  return {**adopted, false};
}

/// A wrapped material that came too late: its custody key was rotated, and is gone.
Error as_not_kept(const store::MaterialRecord& row, const Error& error) {
  if (error.code() != ErrorCode::kConflict || !row.wrapped) return error;
  return Error(ErrorCode::kKmsInternal, {}, "the wrapping key was rotated meanwhile");
}

void strand_birth(Domain& domain, const store::KeyRecord& key, const store::IntentRecord& intent) {
  const std::lock_guard lock(domain.stranded_mutex);
  domain.stranded.push_back({key, intent});
}

RotationType rotation_type(store::IntentKind kind) {
  return kind == store::IntentKind::kRotateAutomatic ? RotationType::kAutomatic
                                                     : RotationType::kOnDemand;
}

}  // namespace

Result<store::IntentRecord> begin_birth(Domain& domain, const store::KeyRecord& key) {
  store::IntentRecord intent;
  intent.object_name = ObjectName::draw(domain.random);
  intent.kind = store::IntentKind::kCreateKey;
  intent.key_id = key.id;
  intent.started_at = domain.clock.now();
  TRY(domain.store.begin_key(key, intent));
  return intent;
}

Result<token::GeneratedMaterial> generate_birth(Domain& domain, const store::KeyRecord& key,
                                                const store::IntentRecord& intent) {
  auto attempt = generate(domain, intent.object_name, key.id, kind_of(key));
  if (attempt.made) return attempt.made;
  if (attempt.nothing_made) {
    const auto abandoned = domain.store.abandon_key(key.id);
    if (abandoned) return attempt.made;
    log::warning("abandoning the unborn key " + key.id + ": " + abandoned.error().detail());
  }
  strand_birth(domain, key, intent);
  return attempt.made;
}

Result<KeyPtr> finish_birth(Domain& domain, store::KeyRecord key, const store::IntentRecord& intent,
                            const token::GeneratedMaterial& generated) {
  auto row = material_row(domain, intent, generated, 0);
  if (const auto finished = domain.store.finish_key(row); !finished) {
    strand_birth(domain, key, intent);
    return as_not_kept(row, finished.error());
  }
  auto material = std::make_shared<const KeyMaterial>(std::move(row), kind_of(key));
  auto born = std::make_shared<const Key>(
      std::move(key), std::vector<KeyMaterialPtr>{std::move(material)}, std::nullopt);
  domain.keys.put(born);
  return KeyPtr(born);
}

Result<store::IntentRecord> begin_rotation(Domain& domain, const Key& key, store::IntentKind kind) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(StateRule::kRotatedOnDemand, *newest));
  const TimePoint now = domain.clock.now();
  if (kind == store::IntentKind::kRotateOnDemand) {
    TRY(check_on_demand_rotation(*newest, domain.options.rotation_rules, now));
  } else if (!automatic_rotation_due(*newest, now)) {
    return Error(ErrorCode::kConflict, "No automatic rotation of " + key.arn() + " is due.");
  }
  store::IntentRecord intent;
  intent.object_name = ObjectName::draw(domain.random);
  intent.kind = kind;
  intent.key_id = key.id();
  intent.started_at = now;
  TRY(domain.store.begin_material(intent, newest->record().version));
  domain.keys.put(
      std::make_shared<const Key>(newest->record(), newest->materials(), intent, newest->policy()));
  return intent;
}

Result<token::GeneratedMaterial> generate_rotation(Domain& domain, const Key& key,
                                                   const store::IntentRecord& intent) {
  auto attempt = generate(domain, intent.object_name, key.id(), key.kind());
  if (!attempt.made && attempt.nothing_made) {
    const auto lock = domain.locks.lock(key.id());
    if (const auto withdrawn = domain.store.withdraw_intent(intent.object_name); !withdrawn) {
      log::warning("the rotation of " + key.arn() +
                   " will be taken up again: " + withdrawn.error().detail());
      return attempt.made;
    }
    if (const auto newest = domain.keys.find(key.id())) {
      domain.keys.put(std::make_shared<const Key>(newest->record(), newest->materials(),
                                                  std::nullopt, newest->policy()));
    }
  }
  return attempt.made;
}

Result<void> finish_rotation(Domain& domain, std::string_view key_id,
                             const store::IntentRecord& intent,
                             const token::GeneratedMaterial& generated) {
  const auto lock = domain.locks.lock(key_id);
  const auto newest = domain.keys.find(key_id);
  if (!newest) {
    return Error(ErrorCode::kKmsInternal, {}, "key " + std::string(key_id) + " vanished");
  }

  const TimePoint now = domain.clock.now();
  auto row =
      material_row(domain, intent, generated, newest->materials().back()->record.sequence + 1);
  row.rotation_type = rotation_type(intent.kind);
  row.rotated_at = now;
  row.announced = false;

  store::KeyRecord record = newest->record();
  if (intent.kind == store::IntentKind::kRotateOnDemand) {
    ++record.on_demand_rotations;
  } else if (record.rotation_enabled && record.next_rotation_at) {
    // The date that has come is over, also for a clock that was set back meanwhile.
    record.next_rotation_at = next_rotation_after(
        *record.next_rotation_at, record.rotation_period_days, std::max(now, intent.started_at));
  }
  if (const auto finished = domain.store.finish_rotation(record, row); !finished) {
    return as_not_kept(row, finished.error());
  }
  ++record.version;
  auto materials = newest->materials();
  materials.push_back(std::make_shared<const KeyMaterial>(std::move(row), newest->kind()));
  domain.keys.put(std::make_shared<const Key>(std::move(record), std::move(materials), std::nullopt,
                                              newest->policy()));
  return {};
}

Result<void> rotate_to_imported(Domain& domain, const Key& key) {
  const auto one_at_a_time = domain.material_changes.lock(key.id());
  {
    TRY_ASSIGN(const auto newest, refresh(domain, key));
    if (const auto* pending = newest->pending_material()) {
      TRY(domain.token.check_material(pending->use));
    }
  }
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(StateRule::kRotatedOnDemand, *newest));
  TRY(check_on_demand_rotation(*newest, domain.options.rotation_rules, domain.clock.now()));
  store::MaterialRecord row = newest->pending_material()->record;
  row.standing = store::MaterialStanding::kPermanent;
  row.rotation_type = RotationType::kOnDemand;
  row.rotated_at = domain.clock.now();
  row.announced = false;
  store::KeyRecord record = newest->record();
  record.on_demand_rotations += 1;
  TRY(domain.store.update_material(record, row));
  ++record.version;
  auto materials = newest->materials();
  for (auto& place : materials) {
    if (place.get() != newest->pending_material()) continue;
    place = std::make_shared<const KeyMaterial>(std::move(row), newest->kind());
    break;
  }
  domain.keys.put(std::make_shared<const Key>(std::move(record), std::move(materials), std::nullopt,
                                              newest->policy()));
  return {};
}

Result<void> announce_rotation(Domain& domain, const Key& key, const KeyMaterial& material) {
  RotationEvent event;
  event.account = key.record().account;
  event.region = key.record().region;
  event.key_id = key.id();
  event.key_arn = key.arn();
  event.type = material.record.rotation_type.value_or(RotationType::kAutomatic);
  event.origin = key.record().origin;
  event.current_material_id = material.record.material_id;
  event.rotated_at = material.record.rotated_at.value_or(material.record.created_at);
  for (const auto& other : key.materials()) {
    if (other->record.sequence + 1 == material.record.sequence) {
      event.previous_material_id = other->record.material_id;
    }
  }
  TRY(domain.events.key_rotated(event));
  TRY(domain.store.mark_announced(material.record.object_name));

  const auto lock = domain.locks.lock(key.id());
  const auto newest = domain.keys.find(key.id());
  if (!newest) return {};
  auto materials = newest->materials();
  for (auto& place : materials) {
    if (place->record.object_name != material.record.object_name) continue;
    auto row = place->record;
    row.announced = true;
    place = std::make_shared<const KeyMaterial>(std::move(row), newest->kind());
  }
  domain.keys.put(std::make_shared<const Key>(newest->record(), std::move(materials),
                                              newest->running_intent()));
  return {};
}

void announce_rotations(Domain& domain, const Key& key) {
  const auto newest = domain.keys.find(key.id());
  if (!newest) return;
  for (const auto& material : newest->materials()) {
    if (material->record.announced) continue;
    if (const auto told = announce_rotation(domain, *newest, *material); !told) {
      log::warning("the rotation of " + key.arn() +
                   " is not in the audit trail yet: " + told.error().detail());
    }
  }
}

void announce_interrupted(Domain& domain, const Key& key) {
  const RotationClaim claim(domain, key.id());
  if (claim.claimed()) announce_rotations(domain, key);
}

Result<ResumedRotation> resume_rotation(Domain& domain, const Key& key) {
  const RotationClaim claim(domain, key.id());
  if (!claim.claimed()) return ResumedRotation();
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  if (!newest->running_intent()) return ResumedRotation();
  store::IntentRecord intent = *newest->running_intent();

  std::optional<ObjectName> given_up;
  TRY_ASSIGN(std::optional<token::GeneratedMaterial> material,
             domain.token.adopt_material(intent.object_name, key.kind()));
  if (!material) {
    given_up = intent.object_name;
    const auto next_name = ObjectName::draw(domain.random);
    {
      const auto lock = domain.locks.lock(key.id());
      // A key condemned meanwhile has its objects destroyed by the names that it had.
      TRY_ASSIGN(const auto current, refresh(domain, key));
      TRY(domain.store.replace_intent(intent.object_name, next_name));
      intent.object_name = next_name;
      domain.keys.put(std::make_shared<const Key>(current->record(), current->materials(), intent,
                                                  current->policy()));
    }
    TRY_ASSIGN(material, make_material(domain, intent.object_name, key.id(), key.kind()));
  }
  TRY(finish_rotation(domain, key.id(), intent, *material));
  announce_rotations(domain, key);
  return ResumedRotation{ResumedRotation::Outcome::kFinished, given_up};
}

RotationClaim::RotationClaim(Domain& domain, std::string key_id)
    : domain_(domain), key_id_(std::move(key_id)) {
  const std::lock_guard lock(domain_.busy_mutex);
  claimed_ = domain_.busy.insert(key_id_).second;
}

RotationClaim::~RotationClaim() {
  if (!claimed_) return;
  const std::lock_guard lock(domain_.busy_mutex);
  domain_.busy.erase(key_id_);
}

}  // namespace keyhold::kms
