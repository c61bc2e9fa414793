#include "kms/material_removal.h"

#include <algorithm>

#include "base/log.h"

namespace keyhold::kms {
namespace {

using store::MaterialPresence;
using store::MaterialStanding;

KeyPtr with_row(const Key& key, store::KeyRecord record, store::MaterialRecord row) {
  auto materials = key.materials();
  for (auto& place : materials) {
    if (place->record.material_id != row.material_id) continue;
    place = std::make_shared<const KeyMaterial>(std::move(row), key.kind());
    break;
  }
  return std::make_shared<const Key>(std::move(record), std::move(materials), key.running_intent(),
                                     key.policy());
}

bool is_going(const KeyMaterial& material) {
  return material.record.presence == MaterialPresence::kDeleting ||
         material.record.presence == MaterialPresence::kExpiring;
}

Result<void> tell_of_expiry(Domain& domain, const Key& key, const KeyMaterial& material) {
  MaterialExpiryEvent event;
  event.account = key.record().account;
  event.region = key.record().region;
  event.key_id = key.id();
  event.key_arn = key.arn();
  event.material_id = material.record.material_id;
  event.expired_at = material.record.valid_to.value_or(domain.clock.now());
  return domain.events.material_expired(event);
}

}  // namespace

Result<void> begin_removal(Domain& domain, const Key& key, std::string_view material_id,
                           MaterialPresence why) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  const auto* material = newest->find_material(from_hex(material_id).value_or(Bytes()));
  if (material == nullptr || material->record.presence != MaterialPresence::kPresent) return {};
  // An import may have moved the date while this was on its way.
  if (why == MaterialPresence::kExpiring &&
      (!material->record.valid_to || *material->record.valid_to > domain.clock.now())) {
    return {};
  }
  store::MaterialRecord row = material->record;
  row.presence = why;
  store::KeyRecord record = newest->record();
  if (row.standing == MaterialStanding::kPermanent && record.state != KeyState::kPendingDeletion) {
    record.state = KeyState::kPendingImport;
  }
  TRY(domain.store.update_material(record, row));
  ++record.version;
  domain.keys.put(with_row(*newest, std::move(record), std::move(row)));
  return {};
}

Result<void> destroy_removed(Domain& domain, const KeyMaterial& material) {
  return domain.token.destroy_material(material.record.object_name);
}

Result<void> finish_removal(Domain& domain, const Key& key, const KeyMaterial& material) {
  if (material.record.presence == MaterialPresence::kExpiring) {
    TRY(tell_of_expiry(domain, key, material));
  }
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  store::KeyRecord record = newest->record();
  const auto* known = newest->find_material(material.material_id);
  if (known == nullptr) return {};
  store::MaterialRecord row = known->record;
  if (row.standing == MaterialStanding::kPendingRotation) {
    TRY(domain.store.forget_material(record, row.material_id));
    ++record.version;
    auto materials = newest->materials();
    std::erase_if(materials, [&](const KeyMaterialPtr& one) {
      return one->record.material_id == row.material_id;
    });
    domain.keys.put(std::make_shared<const Key>(std::move(record), std::move(materials),
                                                newest->running_intent(), newest->policy()));
    return {};
  }
  row.presence = MaterialPresence::kAbsent;
  row.valid_to.reset();
  TRY(domain.store.update_material(record, row));
  ++record.version;
  domain.keys.put(with_row(*newest, std::move(record), std::move(row)));
  return {};
}

Result<void> finish_removals(Domain& domain, const Key& key) {
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  for (const auto& material : newest->materials()) {
    if (!is_going(*material)) continue;
    TRY(destroy_removed(domain, *material));
    TRY(finish_removal(domain, *newest, *material));
  }
  return {};
}

Result<std::optional<std::string>> delete_material(Domain& domain, const Key& key,
                                                   const std::optional<std::string>& material_id) {
  const auto one_at_a_time = domain.material_changes.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  const KeyMaterial* material =
      material_id ? newest->find_material(from_hex(*material_id).value_or(Bytes()))
                  : newest->find_current_material();
  if (material == nullptr && material_id) {
    return Error(ErrorCode::kNotFound,
                 "Key material " + *material_id + " is not associated with the key " + key.arn());
  }
  if (material == nullptr) return std::optional<std::string>();
  const std::string id = material->record.material_id;
  if (material->record.presence == MaterialPresence::kPresent) {
    // A token that is away is known before anything is promised.
    TRY(domain.token.check());
    TRY(begin_removal(domain, key, id, MaterialPresence::kDeleting));
  }
  // From here on it is gone to every caller, and the rest happens in any case.
  if (const auto finished = finish_removals(domain, key); !finished) {
    log::warning("key material " + id + " of " + key.arn() +
                 " will be destroyed later: " + finished.error().detail());
  }
  return std::optional(id);
}

Result<void> expire_materials(Domain& domain, const Key& key) {
  const auto one_at_a_time = domain.material_changes.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  for (const auto& material : newest->materials()) {
    const auto& valid_to = material->record.valid_to;
    if (material->record.presence != MaterialPresence::kPresent || !valid_to ||
        *valid_to > domain.clock.now()) {
      continue;
    }
    TRY(begin_removal(domain, key, material->record.material_id, MaterialPresence::kExpiring));
  }
  return finish_removals(domain, key);
}

}  // namespace keyhold::kms
