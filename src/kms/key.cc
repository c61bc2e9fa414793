#include "kms/key.h"

#include <algorithm>

#include "kms/arn.h"
#include "token/public_key.h"

namespace keyhold::kms {
namespace {

bool id_less(ByteView a, ByteView b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

KeyMaterial::KeyMaterial(store::MaterialRecord row, token::MaterialKind kind)
    : record(std::move(row)) {
  material_id = from_hex(record.material_id).value_or(Bytes{});
  use.object_name = record.object_name;
  use.construction = record.construction;
  use.check_value = record.check_value;
  use.kind = kind;
  use.custody = record.custody;
  if (!record.public_key.empty()) {
    use.public_key = std::make_shared<const token::PublicKey>(record.public_key);
  }
  if (const auto& wrapped = record.wrapped) {
    use.wrapped = std::make_shared<const token::WrappedForm>(
        token::WrappedForm{wrapped->custody_key, wrapped->blob, wrapped->seal});
  }
  use.subject = subject_of(record.key_id, material_id);
}

Bytes subject_of(std::string_view key_id, ByteView material_id) {
  // Length-prefixed, so that no key id and material id read as another pair.
  Bytes subject{static_cast<std::uint8_t>(key_id.size())};
  append(subject, as_bytes(key_id));
  subject.push_back(static_cast<std::uint8_t>(material_id.size()));
  append(subject, material_id);
  return subject;
}

Key::Key(store::KeyRecord record, std::vector<KeyMaterialPtr> materials,
         std::optional<store::IntentRecord> intent, KeyPolicyPtr policy)
    : record_(std::move(record)),
      arn_(key_arn(record_.region, record_.account, record_.id)),
      policy_(policy ? std::move(policy) : compile_policy(record_)),
      materials_(std::move(materials)),
      intent_(std::move(intent)) {
  by_id_.reserve(materials_.size());
  for (const auto& material : materials_) {
    by_id_.push_back(material.get());
    const bool permanent = material->record.standing == store::MaterialStanding::kPermanent;
    (permanent ? current_ : pending_) = material.get();
  }
  std::ranges::sort(by_id_, [](const KeyMaterial* a, const KeyMaterial* b) {
    return id_less(a->material_id, b->material_id);
  });
}

bool Key::has_all_material() const {
  return current_ != nullptr && std::ranges::all_of(materials_, [](const KeyMaterialPtr& material) {
           return material->record.standing == store::MaterialStanding::kPendingRotation ||
                  material->record.presence == store::MaterialPresence::kPresent;
         });
}

const KeyMaterial* Key::find_material(ByteView material_id) const {
  const auto at = std::ranges::lower_bound(
      by_id_, material_id, id_less,
      [](const KeyMaterial* material) -> ByteView { return material->material_id; });
  if (at == by_id_.end() || !std::ranges::equal((*at)->material_id, material_id)) return nullptr;
  return *at;
}

}  // namespace keyhold::kms
