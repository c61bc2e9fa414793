#include "kms/import.h"

#include <algorithm>

#include "base/log.h"
#include "iam/digest.h"
#include "kms/key_state.h"
#include "kms/material_making.h"
#include "kms/material_removal.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kIdDomain = "keyhold imported key material";
/// "The maximum value is 365 days from the request date" (ImportKeyMaterial, ValidTo).
constexpr milliseconds kLongestValidity = kDay * 365;

Error validation(std::string_view text) { return Error(ErrorCode::kValidation, std::string(text)); }

void append_with_length(Bytes& bytes, ByteView part) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<std::uint8_t>(part.size() >> shift));
  }
  append(bytes, part);
}

/// Writes the row with what an import says of expiry and description; description and custody of a
/// material that was there before are kept as far as nothing else is said.
void apply(const ImportRequest& request, Custody custody, store::MaterialRecord& row) {
  row.presence = store::MaterialPresence::kPresent;
  row.valid_to = request.valid_to;
  if (request.description) row.description = *request.description;
  // What was once in the service's memory is of that class for good.
  if (row.custody != Custody::kHostStaged) row.custody = custody;
}

/// The key with a material more, or another in the place of the one of its id.
KeyPtr with_material(const Key& key, store::KeyRecord record, store::MaterialRecord row) {
  auto materials = key.materials();
  auto made = std::make_shared<const KeyMaterial>(std::move(row), key.kind());
  const auto place = std::ranges::find(
      materials, made->record.material_id,
      [](const KeyMaterialPtr& material) { return material->record.material_id; });
  if (place == materials.end()) {
    materials.push_back(std::move(made));
  } else {
    *place = std::move(made);
  }
  return std::make_shared<const Key>(std::move(record), std::move(materials), std::nullopt,
                                     key.policy());
}

/// "When this operation is successful, the state of the KMS key changes to Enabled", once nothing
/// is missing.
void settle_state(const Key& with_it, store::KeyRecord& record) {
  if (record.state == KeyState::kPendingImport && with_it.has_all_material()) {
    record.state = KeyState::kEnabled;
  }
}

/// Where the very material is there already, an import changes what is written of it alone.
/// Nothing, if it has to come to the token.
Result<bool> renew_import(Domain& domain, const Key& key, const ImportRequest& request,
                          std::string_view material_id, Custody custody) {
  const auto known = key.find_material(from_hex(material_id).value());
  if (known == nullptr || known->record.presence != store::MaterialPresence::kPresent) return false;
  if (!domain.token.check_material(known->use)) return false;
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(StateRule::kNotPendingDeletion, *newest));
  store::MaterialRecord row = newest->find_material(known->material_id)->record;
  apply(request, custody, row);
  store::KeyRecord record = newest->record();
  TRY(domain.store.update_material(record, row));
  ++record.version;
  domain.keys.put(with_material(*newest, std::move(record), std::move(row)));
  return true;
}

}  // namespace

Result<void> check_import_request(const Key& key, const ImportRequest& request, RotationRules rules,
                                  TimePoint now) {
  if (request.valid_to && *request.valid_to <= now) {
    return validation("The ValidTo date must be in the future");
  }
  if (request.valid_to && *request.valid_to > now + kLongestValidity) {
    return validation("The ValidTo date must be at most 365 days from now");
  }
  const bool symmetric = key.record().spec == KeySpec::kSymmetricDefault;
  if (!symmetric && (request.type || request.description || request.material_id)) {
    return validation(
        "ImportType, KeyMaterialDescription and KeyMaterialId are valid for symmetric encryption "
        "keys only");
  }
  if (request.type == ImportType::kNew && request.material_id) {
    return validation("KeyMaterialId cannot be specified with ImportType NEW_KEY_MATERIAL");
  }
  if (request.type == ImportType::kNew && !key.materials().empty() &&
      rotation_rules_row(rules).imported == RotationRulesRow::Imported::kNotRotated) {
    return Error(ErrorCode::kUnsupportedOperation,
                 "ImportType NEW_KEY_MATERIAL is not supported for a KMS key that has key "
                 "material: rotation.rules is " +
                     std::string(rotation_rules_row(rules).name) + ".");
  }
  return {};
}

std::string imported_material_id(const Key& key, ByteView fingerprint) {
  Bytes input;
  append_with_length(input, as_bytes(kIdDomain));
  append_with_length(input, as_bytes(key.id()));
  append_with_length(input, fingerprint);
  return to_hex(iam::sha256(input));
}

Result<ImportEffect> judge_import(const Key& key, const ImportRequest& request,
                                  std::string_view material_id) {
  const bool known = key.find_material(from_hex(material_id).value()) != nullptr;
  const ImportType type =
      request.type.value_or(key.materials().empty() ? ImportType::kNew : ImportType::kExisting);
  if (request.material_id && *request.material_id != material_id) {
    return Error(ErrorCode::kIncorrectKeyMaterial);
  }
  if ((type == ImportType::kNew) == known) return Error(ErrorCode::kIncorrectKeyMaterial);
  if (known) return ImportEffect::kAgain;
  if (key.materials().empty()) return ImportEffect::kFirst;
  if (const KeyMaterial* pending = key.pending_material()) {
    return Error(ErrorCode::kKmsInvalidState,
                 "New key material (id: " + std::string(material_id) +
                     ") cannot be imported into KMS key " + key.arn() +
                     ", because another key material (id: " + pending->record.material_id +
                     ") is pending rotation.");
  }
  return ImportEffect::kPending;
}

Result<token::UnwrappedMaterialPtr> unwrap_import(Domain& domain, ImportTokens& tokens,
                                                  const Key& key, const ImportRequest& request) {
  TRY_ASSIGN(const auto wrapping_key, tokens.read(key, request.import_token));
  return domain.token.unwrap_material(wrapping_key, key.kind(), request.encrypted_key_material);
}

Result<store::IntentRecord> begin_import(Domain& domain, const Key& key,
                                         const ImportRequest& request,
                                         std::string_view material_id) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(StateRule::kNotPendingDeletion, *newest));
  TRY(judge_import(*newest, request, material_id));
  store::IntentRecord intent;
  intent.object_name = ObjectName::draw(domain.random);
  intent.kind = store::IntentKind::kImportKeyMaterial;
  intent.key_id = key.id();
  intent.started_at = domain.clock.now();
  TRY(domain.store.begin_material(intent, newest->record().version));
  domain.keys.put(
      std::make_shared<const Key>(newest->record(), newest->materials(), intent, newest->policy()));
  return intent;
}

Result<void> keep_import(Domain& domain, const Key& key, const store::IntentRecord& intent,
                         const token::UnwrappedMaterial& material) {
  return domain.token.keep_material(material, intent.object_name, key.id());
}

Result<void> finish_import(Domain& domain, const Key& key, const store::IntentRecord& intent,
                           const ImportRequest& request, std::string_view material_id,
                           const token::GeneratedMaterial& made) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  store::MaterialRecord row;
  if (const auto* known = newest->find_material(from_hex(material_id).value())) {
    row = known->record;
  } else {
    const auto& materials = newest->materials();
    row.key_id = key.id();
    row.material_id = material_id;
    row.sequence = materials.empty() ? 0 : materials.back()->record.sequence + 1;
    row.standing = materials.empty() ? store::MaterialStanding::kPermanent
                                     : store::MaterialStanding::kPendingRotation;
    row.custody = made.custody;
  }
  row.object_name = intent.object_name;
  row.construction = made.construction;
  row.check_value = made.check_value;
  row.public_key = made.public_key;
  row.created_at = domain.clock.now();
  apply(request, made.custody, row);

  store::KeyRecord record = newest->record();
  settle_state(*with_material(*newest, record, row), record);
  TRY(domain.store.finish_import(record, row));
  ++record.version;
  domain.keys.put(with_material(*newest, std::move(record), std::move(row)));
  return {};
}

Result<void> withdraw_import(Domain& domain, const Key& key) {
  const RotationClaim claim(domain, key.id());
  if (!claim.claimed()) return {};
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  const auto& intent = newest->running_intent();
  if (!intent || intent->kind != store::IntentKind::kImportKeyMaterial) return {};
  TRY(domain.token.destroy_material(intent->object_name));
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto current, refresh(domain, key));
  TRY(domain.store.withdraw_intent(intent->object_name));
  domain.keys.put(std::make_shared<const Key>(current->record(), current->materials(), std::nullopt,
                                              current->policy()));
  return {};
}

namespace {

/// Steps 2 to 4 by a thread that has claimed the key. What fails in between is undone at once, or
/// later if the token is away.
Result<void> bring_in(Domain& domain, const Key& key, const ImportRequest& request,
                      std::string_view material_id, const token::UnwrappedMaterial& material) {
  const RotationClaim claim(domain, key.id());
  if (!claim.claimed()) {
    return Error(ErrorCode::kKmsInternal, {}, "another thread is at work on " + key.arn());
  }
  TRY_ASSIGN(const auto intent, begin_import(domain, key, request, material_id));
  TRY(keep_import(domain, key, intent, material));
  return finish_import(domain, key, intent, request, material_id, material.made());
}

}  // namespace

Result<std::string> import_material(Domain& domain, ImportTokens& tokens, const Key& key,
                                    const ImportRequest& request) {
  const auto one_at_a_time = domain.material_changes.lock(key.id());
  // What an earlier one left is in the way.
  TRY(withdraw_import(domain, key));
  TRY(finish_removals(domain, key));
  TRY_ASSIGN(const auto material, unwrap_import(domain, tokens, key, request));
  const std::string material_id = imported_material_id(key, material->fingerprint());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(judge_import(*newest, request, material_id));
  TRY_ASSIGN(const bool renewed,
             renew_import(domain, *newest, request, material_id, material->made().custody));
  if (renewed) return material_id;
  if (const auto brought = bring_in(domain, key, request, material_id, *material); !brought) {
    if (const auto withdrawn = withdraw_import(domain, key); !withdrawn) {
      log::warning("what an import into " + key.arn() +
                   " left will be destroyed later: " + withdrawn.error().detail());
    }
    return brought.error();
  }
  return material_id;
}

}  // namespace keyhold::kms
