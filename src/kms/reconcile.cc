#include "kms/reconcile.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/key_spec.h"
#include "base/log.h"
#include "kms/custody_keys.h"
#include "kms/destruction.h"
#include "kms/import.h"
#include "kms/material_making.h"
#include "kms/material_removal.h"

namespace keyhold::kms {
namespace {

template <typename T>
Result<void> as_void(const Result<T>& result) {
  return result ? Result<void>() : Result<void>(result.error());
}

/// A birth that a crash interrupted: its object is adopted if it is whole, else the key never was.
/// Its caller got no answer, so either end is true to what was promised.
Result<void> settle_birth(Domain& domain, const store::KeyRecord& key,
                          const store::IntentRecord& intent, ReconcileReport& report) {
  TRY_ASSIGN(const auto adopted, domain.token.adopt_material(intent.object_name, kind_of(key)));
  if (adopted) {
    TRY(finish_birth(domain, key, intent, *adopted));
    report.finished.push_back("creation of key " + key.id);
    return {};
  }
  TRY(domain.store.abandon_key(key.id));
  report.withdrawn.push_back("creation of key " + key.id + ", object " + intent.object_name.hex());
  return {};
}

Result<void> settle_births(Domain& domain, const store::Contents& contents,
                           ReconcileReport& report) {
  for (const auto& intent : contents.intents) {
    if (intent.kind != store::IntentKind::kCreateKey) continue;
    const auto key = std::ranges::find(contents.unborn_keys, intent.key_id, &store::KeyRecord::id);
    if (key == contents.unborn_keys.end()) continue;
    TRY(settle_birth(domain, *key, intent, report));
  }
  return {};
}

void settle_import(Domain& domain, const Key& key, const ObjectName& object_name,
                   ReconcileReport& report) {
  const auto withdrawn = withdraw_import(domain, key);
  if (!withdrawn) {
    report.alarms.push_back("the import into " + key.arn() + " cannot be withdrawn now");
    log::warning("withdrawing an import: " + withdrawn.error().detail());
    return;
  }
  const auto newest = domain.keys.find(key.id());
  if (newest && newest->running_intent()) return;  // a thread is at it
  report.withdrawn.push_back("import into " + key.arn() + ", object " + object_name.hex());
}

void settle_unfinished(Domain& domain, ReconcileReport& report) {
  for (const auto& key : domain.keys.unfinished()) {
    const auto finished = [&] {
      const auto one_at_a_time = domain.material_changes.lock(key->id());
      return finish_removals(domain, *key);
    }();
    if (!finished) {
      report.alarms.push_back("the deletion of key material of " + key->arn() +
                              " cannot be finished now");
      log::warning("finishing a deletion of " + key->arn() + ": " + finished.error().detail());
    }
    const auto& intent = key->running_intent();
    if (!intent) {
      announce_interrupted(domain, *key);
      continue;
    }
    if (intent->kind == store::IntentKind::kImportKeyMaterial) {
      settle_import(domain, *key, intent->object_name, report);
      continue;
    }
    const auto resumed = resume_rotation(domain, *key);
    if (!resumed) {
      report.alarms.push_back("the rotation of " + key->arn() + " cannot be finished now");
      log::warning("resuming the rotation of " + key->arn() + ": " + resumed.error().detail());
      continue;
    }
    if (resumed->outcome == ResumedRotation::Outcome::kLeft) continue;
    report.finished.push_back("rotation of " + key->arn());
    if (resumed->given_up) {
      report.withdrawn.push_back("rotation of " + key->arn() + ", object " +
                                 resumed->given_up->hex());
    }
  }
}

void settle_custody_keys(Domain& domain, ReconcileReport& report) {
  const auto withdrawn = kms::settle_custody_keys(domain);
  if (!withdrawn) {
    report.alarms.push_back("a custody key that was not made cannot be withdrawn now");
    log::warning("withdrawing a custody key: " + withdrawn.error().detail());
    return;
  }
  for (const auto& name : *withdrawn) {
    report.withdrawn.push_back("custody key, object " + name.hex());
  }
}

/// Of the objects, which were listed just now, those that no row names. Rows name an object from
/// before it is made until after it is destroyed; so what is nameless and still there after they
/// were read is strange, and nothing that was made or destroyed meanwhile is.
Result<std::vector<std::string>> find_strangers(Domain& domain,
                                                const std::vector<token::ListedObject>& objects) {
  TRY_ASSIGN(const auto rows, domain.store.load());
  std::unordered_set<std::string> names;
  for (const auto& intent : rows.intents) names.insert(intent.object_name.hex());
  for (const auto& material : rows.materials) {
    if (material.presence != store::MaterialPresence::kAbsent && !material.wrapped) {
      names.insert(material.object_name.hex());
    }
  }
  for (const auto& wrapping_key : rows.wrapping_keys) names.insert(wrapping_key.object_name.hex());
  for (const auto& custody_key : rows.custody_keys) names.insert(custody_key.object_name.hex());
  for (const auto& name : domain.options.own_objects) names.insert(name.hex());

  const auto describe = [](const token::ListedObject& object) {
    return "object " + (object.id.empty() ? "without an id" : to_hex(object.id)) +
           (object.label.empty() ? "" : ", label " + object.label);
  };
  std::vector<std::string> nameless;
  for (const auto& object : objects) {
    if (!names.contains(to_hex(object.id))) nameless.push_back(describe(object));
  }
  if (nameless.empty()) return nameless;
  TRY_ASSIGN(const auto later, domain.token.list_objects());
  std::unordered_map<std::string, int> still_there;
  for (const auto& object : later) ++still_there[describe(object)];
  std::erase_if(nameless, [&](const std::string& object) { return --still_there[object] < 0; });
  return nameless;
}

/// Why a material cannot be used, if it cannot; `otherwise` words what is wrong with its object.
std::optional<std::string> examine(Domain& domain, const Key& key, const KeyMaterial& material,
                                   std::string_view otherwise) {
  const auto checked = domain.token.check_material(material.use);
  if (checked) return std::nullopt;
  if (!domain.keys.find(key.id())) return std::nullopt;  // deleted while this looked
  const bool away = checked.error().code() == ErrorCode::kKeyUnavailable ||
                    checked.error().code() == ErrorCode::kDependencyTimeout;
  return std::string(away ? "could not be checked" : otherwise);
}

using Counts = std::unordered_map<std::string, int>;

int count_of(const Counts& found, const ObjectName& name) {
  const auto at = found.find(name.hex());
  return at == found.end() ? 0 : at->second;
}

void examine_custody_keys(Domain& domain, const Counts& found, ReconcileDepth depth,
                          ReconcileReport& report) {
  for (const auto& record : domain.custody_keys.all()) {
    if (record.state != store::CustodyKeyState::kCurrent &&
        record.state != store::CustodyKeyState::kRetiring) {
      continue;
    }
    const int count = count_of(found, record.object_name);
    const std::string what = "custody key " + record.object_name.hex();
    if (count == 2 && depth == ReconcileDepth::kPresence) continue;
    // Made after the listing, or not whole: the token is asked again.
    const auto checked = domain.token.check_custody_key(to_token(record));
    if (checked) continue;
    const auto still = domain.custody_keys.in(record.state);
    const bool ended = std::ranges::find(still, record) == still.end();
    if (!ended) report.alarms.push_back(what + " is missing or fails its check value");
  }
}

}  // namespace

void settle_stranded_births(Domain& domain) {
  std::vector<Domain::StrandedBirth> stranded;
  {
    const std::lock_guard lock(domain.stranded_mutex);
    stranded.swap(domain.stranded);
  }
  for (const auto& birth : stranded) {
    const auto adopted = domain.token.adopt_material(birth.intent.object_name, kind_of(birth.key));
    const auto settled = !adopted ? Result<void>(adopted.error())
                         : *adopted
                             ? as_void(finish_birth(domain, birth.key, birth.intent, **adopted))
                             : domain.store.abandon_key(birth.key.id);
    if (settled || (adopted && *adopted)) continue;  // finish_birth strands it again by itself
    const std::lock_guard lock(domain.stranded_mutex);
    domain.stranded.push_back(birth);
  }
}

Result<ReconcileReport> reconcile(Domain& domain, const store::Contents& contents,
                                  ReconcileDepth depth) {
  ReconcileReport report;
  TRY(settle_births(domain, contents, report));
  settle_unfinished(domain, report);
  settle_custody_keys(domain, report);
  finish_destructions(domain);

  TRY_ASSIGN(const auto objects, domain.token.list_objects());
  TRY_ASSIGN(report.strangers, find_strangers(domain, objects));
  Counts found;
  for (const auto& object : objects) ++found[to_hex(object.id)];
  examine_custody_keys(domain, found, depth, report);
  for (const auto& key : domain.keys.all()) {
    for (const auto& material : key->materials()) {
      if (material->record.presence != store::MaterialPresence::kPresent) continue;
      const int count = count_of(found, material->record.object_name);
      const std::string what = "key material " + material->record.material_id + " of " + key->arn();
      std::optional<std::string> wrong;
      if (material->record.wrapped) {
        // There is no object to count.
        if (depth == ReconcileDepth::kCheckValues) {
          wrong = examine(domain, *key, *material, "cannot be unwrapped, or fails its check value");
        }
      } else if (count == 0) {
        // Made after the listing, or missing: the token is asked again.
        wrong = examine(domain, *key, *material, "is missing");
      } else if (count > (is_pair(key->record().spec) ? 2 : 1)) {
        wrong = "has " + std::to_string(count) + " objects of its name";
      } else if (depth == ReconcileDepth::kCheckValues) {
        wrong = examine(domain, *key, *material, "fails its check value");
      }
      if (wrong) report.alarms.push_back(what + " " + *wrong);
    }
  }
  for (const auto& line : report.finished) log::info("reconcile finished: " + line);
  for (const auto& line : report.withdrawn) log::info("reconcile withdrew: " + line);
  for (const auto& line : report.strangers) log::warning("stranger in the token: " + line);
  for (const auto& line : report.alarms) log::error("reconcile: " + line);
  return report;
}

}  // namespace keyhold::kms
