#include "kms/destruction.h"

#include <algorithm>

#include "base/log.h"

namespace keyhold::kms {

Result<void> condemn_key(Domain& domain, const Key& key) {
  const auto lock = domain.locks.lock(key.id());
  const auto newest = domain.keys.find(key.id());
  if (!newest || newest->record().state != KeyState::kPendingDeletion ||
      !newest->record().deletion_at || *newest->record().deletion_at > domain.clock.now()) {
    return {};
  }
  {
    const std::lock_guard busy(domain.busy_mutex);
    if (domain.busy.contains(key.id())) return {};  // a rotation that began earlier is ending
  }
  store::KeyRecord record = newest->record();
  record.destroying = true;
  TRY(domain.store.update_key(record));
  ++record.version;
  domain.keys.erase(key.id());
  domain.aliases.erase_target({record.account, record.region}, record.id);
  domain.grants.erase_key(record.id);
  domain.usages.forget(record.id);
  const std::lock_guard condemned(domain.condemned_mutex);
  domain.condemned.push_back(std::make_shared<const Key>(
      std::move(record), newest->materials(), newest->running_intent(), newest->policy()));
  return {};
}

Result<void> destroy_objects(Domain& domain, const Key& key) {
  for (const auto& material : key.materials()) {
    if (material->record.presence == store::MaterialPresence::kAbsent) continue;
    TRY(domain.token.destroy_material(material->record.object_name));
  }
  if (const auto& intent = key.running_intent()) {
    TRY(domain.token.destroy_material(intent->object_name));
  }
  for (const auto& wrapping_key : domain.wrapping_keys.of_key(key.id())) {
    TRY(destroy_wrapping_key(domain, wrapping_key));
  }
  return {};
}

Result<void> erase_condemned(Domain& domain, const Key& key) {
  DeletionEvent event;
  event.account = key.record().account;
  event.region = key.record().region;
  event.key_id = key.id();
  event.key_arn = key.arn();
  event.deleted_at = domain.clock.now();
  TRY(domain.events.key_deleted(event));
  return domain.store.erase_key(key.id());
}

void finish_destructions(Domain& domain) {
  const std::lock_guard destructions(domain.destructions);
  std::vector<KeyPtr> condemned;
  {
    const std::lock_guard lock(domain.condemned_mutex);
    condemned = domain.condemned;
  }
  for (const auto& key : condemned) {
    auto done = destroy_objects(domain, *key);
    if (done) done = erase_condemned(domain, *key);
    if (!done) {
      log::error("the deletion of " + key->arn() +
                 " will be tried again: " + done.error().message() + " " + done.error().detail());
      continue;
    }
    log::info("deleted " + key->arn());
    const std::lock_guard lock(domain.condemned_mutex);
    std::erase(domain.condemned, key);
  }
}

}  // namespace keyhold::kms
