#include "kms/rewrapping.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "kms/custody_keys.h"

namespace keyhold::kms {
namespace {

using store::CustodyKeyRecord;
using store::CustodyKeyState;
using Clock = std::chrono::steady_clock;

/// Whether the material is wrapped under another custody key than the one of that name.
bool is_behind(const KeyMaterial& material, const ObjectName& current) {
  return material.record.wrapped && material.record.wrapped->custody_key != current;
}

bool under_way(const Domain& domain) {
  return std::ranges::any_of(domain.custody_keys.all(), [](const CustodyKeyRecord& record) {
    return record.state == CustodyKeyState::kRetiring ||
           record.state == CustodyKeyState::kDestroying;
  });
}

/// The materials of one key. The first error, after all were tried: one that cannot be wrapped anew
/// holds up no other.
Result<void> rewrap_materials(Domain& domain, const Key& key, const ObjectName& current) {
  Result<void> all;
  for (const auto& material : key.materials()) {
    if (!is_behind(*material, current)) continue;
    auto one = rewrap_material(domain, key, *material);
    if (one || one.error().code() == ErrorCode::kNotFound) continue;  // deleted meanwhile
    log::warning("key material " + material->record.material_id + " of " + key.arn() +
                 " cannot be wrapped anew: " + one.error().detail());
    if (all) all = std::move(one);
  }
  return all;
}

}  // namespace

Result<void> begin_rewrapping(Domain& domain) {
  const std::lock_guard lock(domain.custody_changes);
  if (!domain.custody_keys.current()) {
    return Error(ErrorCode::kValidation,
                 "There is no wrapping key to rotate: no key material is of wrapped custody.");
  }
  if (under_way(domain)) {
    return Error(ErrorCode::kConflict, "A rotation of the wrapping key is under way.");
  }
  TRY(domain.token.check());
  TRY(make_custody_key(domain));
  return {};
}

Result<void> rewrap_material(Domain& domain, const Key& key, const KeyMaterial& material) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  const auto* known = newest->find_material(material.material_id);
  const auto current = domain.custody_keys.current();
  if (known == nullptr || !current || !is_behind(*known, current->object_name)) return {};
  TRY_ASSIGN(auto form, domain.token.rewrap_material(known->use, to_token(*current)));
  const ObjectName from = known->use.wrapped->custody_key;
  store::MaterialRecord row = known->record;
  row.wrapped = {form.custody_key, std::move(form.blob), std::move(form.seal)};
  TRY(domain.store.rewrap_material(row.object_name, from, *row.wrapped));
  auto materials = newest->materials();
  for (auto& place : materials) {
    if (place.get() != known) continue;
    place = std::make_shared<const KeyMaterial>(std::move(row), newest->kind());
    break;
  }
  domain.keys.put(std::make_shared<const Key>(newest->record(), std::move(materials),
                                              newest->running_intent(), newest->policy()));
  return {};
}

Result<void> end_custody_key(Domain& domain, const CustodyKeyRecord& record) {
  if (record.state == CustodyKeyState::kRetiring) {
    const auto condemned = domain.store.condemn_custody_key(record.object_name);
    if (!condemned && condemned.error().code() == ErrorCode::kConflict) return {};
    if (!condemned) return condemned.error();
    CustodyKeyRecord destroying = record;
    destroying.state = CustodyKeyState::kDestroying;
    domain.custody_keys.put(destroying);
  }
  TRY(domain.token.destroy_material(record.object_name));
  WrappingKeyRotationEvent event;
  event.previous_wrapping_key = record.object_name.hex();
  if (const auto current = domain.custody_keys.current()) {
    event.current_wrapping_key = current->object_name.hex();
  }
  event.rotated_at = domain.clock.now();
  TRY(domain.events.wrapping_key_rotated(event));
  TRY(domain.store.erase_custody_key(record.object_name));
  domain.custody_keys.erase(record.object_name);
  log::info("rotated the wrapping key: destroyed the custody key " + record.object_name.hex());
  return {};
}

Result<Rewrapping> continue_rewrapping(Domain& domain,
                                       std::optional<std::chrono::milliseconds> allowance) {
  const std::lock_guard one_at_a_time(domain.rewrapping);
  if (!under_way(domain)) return Rewrapping::kDone;
  const auto current = domain.custody_keys.current();
  if (!current) return Error(ErrorCode::kKmsInternal, {}, "no custody key is current");
  const auto until = allowance ? Clock::now() + *allowance : Clock::time_point::max();
  Result<void> all;
  for (const auto& key : domain.keys.all()) {
    if (Clock::now() >= until) return Rewrapping::kGoesOn;
    const auto behind = [&](const KeyMaterialPtr& material) {
      return is_behind(*material, current->object_name);
    };
    if (std::ranges::none_of(key->materials(), behind)) continue;
    auto one = rewrap_materials(domain, *key, current->object_name);
    // A token that is away is away for all of them.
    if (!one && one.error().code() == ErrorCode::kKeyUnavailable) return one.error();
    if (!one && all) all = std::move(one);
  }
  for (const auto& record : domain.custody_keys.all()) {
    if (record.state != CustodyKeyState::kRetiring &&
        record.state != CustodyKeyState::kDestroying) {
      continue;
    }
    TRY(end_custody_key(domain, record));
  }
  if (!all) return all.error();
  return Rewrapping::kDone;
}

std::vector<CustodyKeyStatus> custody_key_statuses(const Domain& domain) {
  std::unordered_map<ObjectName, std::size_t> counts;
  for (const auto& key : domain.keys.all()) {
    for (const auto& material : key->materials()) {
      if (material->record.wrapped) ++counts[material->record.wrapped->custody_key];
    }
  }
  std::vector<CustodyKeyStatus> statuses;
  for (auto& record : domain.custody_keys.all()) {
    const std::size_t count = counts[record.object_name];
    statuses.push_back({std::move(record), count});
  }
  std::ranges::sort(statuses, {}, [](const CustodyKeyStatus& status) {
    return std::pair(status.record.state != CustodyKeyState::kCurrent, status.record.created_at);
  });
  return statuses;
}

}  // namespace keyhold::kms
