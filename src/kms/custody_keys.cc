#include "kms/custody_keys.h"

#include <algorithm>

#include "base/log.h"
#include "kms/domain.h"

namespace keyhold::kms {

using store::CustodyKeyRecord;
using store::CustodyKeyState;

void CustodyKeyDirectory::put(const CustodyKeyRecord& record) {
  const std::lock_guard lock(mutex_);
  const auto place =
      std::ranges::find(records_, record.object_name, &CustodyKeyRecord::object_name);
  if (place == records_.end()) {
    records_.push_back(record);
  } else {
    *place = record;
  }
}

void CustodyKeyDirectory::erase(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(records_,
                [&](const CustodyKeyRecord& record) { return record.object_name == name; });
}

std::vector<CustodyKeyRecord> CustodyKeyDirectory::all() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::vector<CustodyKeyRecord> CustodyKeyDirectory::in(CustodyKeyState state) const {
  auto found = all();
  std::erase_if(found, [state](const CustodyKeyRecord& record) { return record.state != state; });
  return found;
}

std::optional<CustodyKeyRecord> CustodyKeyDirectory::current() const {
  const auto found = in(CustodyKeyState::kCurrent);
  return found.empty() ? std::nullopt : std::optional(found.front());
}

Result<token::GeneratedMaterial> make_material(Domain& domain, const ObjectName& name,
                                               std::string_view key_id, token::MaterialKind kind) {
  if (domain.token.custody(kind) != Custody::kWrapped) {
    return domain.token.generate_material(name, key_id, kind);
  }
  TRY_ASSIGN(const auto custody_key, provide_custody_key(domain));
  return domain.token.generate_wrapped_material(to_token(custody_key), name, kind,
                                                subject_of(key_id, name.bytes()));
}

Result<CustodyKeyRecord> provide_custody_key(Domain& domain) {
  if (auto current = domain.custody_keys.current()) return *current;
  const std::lock_guard lock(domain.custody_changes);
  if (auto current = domain.custody_keys.current()) return *current;
  return make_custody_key(domain);
}

Result<CustodyKeyRecord> begin_custody_key(Domain& domain) {
  CustodyKeyRecord record;
  record.object_name = ObjectName::draw(domain.random);
  record.created_at = domain.clock.now();
  TRY(domain.store.begin_custody_key(record));
  domain.custody_keys.put(record);
  return record;
}

Result<void> generate_custody_key(Domain& domain, CustodyKeyRecord& record) {
  TRY_ASSIGN(record.check_value, domain.token.generate_custody_key(record.object_name));
  return {};
}

Result<void> finish_custody_key(Domain& domain, CustodyKeyRecord record) {
  TRY(domain.store.finish_custody_key(record.object_name, record.check_value));
  for (auto before : domain.custody_keys.in(CustodyKeyState::kCurrent)) {
    before.state = CustodyKeyState::kRetiring;
    domain.custody_keys.put(before);
  }
  record.state = CustodyKeyState::kCurrent;
  domain.custody_keys.put(record);
  return {};
}

Result<CustodyKeyRecord> make_custody_key(Domain& domain) {
  TRY(withdraw_intended_custody_keys(domain));
  TRY_ASSIGN(auto record, begin_custody_key(domain));
  auto made = generate_custody_key(domain, record);
  if (made) made = finish_custody_key(domain, record);
  if (!made) {
    if (const auto withdrawn = withdraw_intended_custody_keys(domain); !withdrawn) {
      log::warning("the custody key " + record.object_name.hex() +
                   " will be withdrawn later: " + withdrawn.error().detail());
    }
    return made.error();
  }
  record.state = CustodyKeyState::kCurrent;
  log::info("made the custody key " + record.object_name.hex());
  return record;
}

Result<std::vector<ObjectName>> withdraw_intended_custody_keys(Domain& domain) {
  std::vector<ObjectName> withdrawn;
  for (const auto& record : domain.custody_keys.in(CustodyKeyState::kIntended)) {
    TRY(domain.token.destroy_material(record.object_name));
    TRY(domain.store.erase_custody_key(record.object_name));
    domain.custody_keys.erase(record.object_name);
    withdrawn.push_back(record.object_name);
  }
  return withdrawn;
}

Result<std::vector<ObjectName>> settle_custody_keys(Domain& domain) {
  const std::unique_lock lock(domain.custody_changes, std::try_to_lock);
  if (!lock) return std::vector<ObjectName>();  // one is being made
  return withdraw_intended_custody_keys(domain);
}

}  // namespace keyhold::kms
