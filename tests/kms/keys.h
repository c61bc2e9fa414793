// Keys made up of rows alone, for rules that need no token and no store.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "kms/key.h"

namespace keyhold::kms::testing {

inline constexpr std::string_view kAccount = "111122223333";
inline constexpr std::string_view kRegion = "eu-central-1";

/// 2026-11-24T15:04:05.123Z
inline constexpr TimePoint kStart{milliseconds(1795532645123)};

inline ObjectName draw_name() {
  SystemRandom random;
  return ObjectName::draw(random);
}

inline store::KeyRecord a_key_record() {
  SystemRandom random;
  store::KeyRecord record;
  record.id = draw_uuid(random);
  record.account = kAccount;
  record.region = kRegion;
  record.created_at = kStart;
  return record;
}

inline store::IntentRecord an_intent(const store::KeyRecord& key, store::IntentKind kind) {
  store::IntentRecord intent;
  intent.object_name = draw_name();
  intent.kind = kind;
  intent.key_id = key.id;
  intent.started_at = kStart;
  return intent;
}

inline store::MaterialRecord a_material_record(
    const store::KeyRecord& key, int sequence,
    Construction construction = Construction::kEcbDerived) {
  store::MaterialRecord row;
  row.object_name = draw_name();
  row.key_id = key.id;
  row.material_id = row.object_name.hex();
  row.sequence = sequence;
  row.construction = construction;
  row.check_value = Bytes(16, 0x11);
  row.created_at = kStart;
  if (sequence > 0) {
    row.rotation_type = RotationType::kOnDemand;
    row.rotated_at = kStart + kDay * sequence;
  }
  return row;
}

/// A key with that many materials.
inline Key a_key(const store::KeyRecord& record, int materials = 1,
                 std::optional<store::IntentRecord> rotation = std::nullopt) {
  std::vector<KeyMaterialPtr> rows;
  for (int i = 0; i < materials; ++i) {
    rows.push_back(
        std::make_shared<const KeyMaterial>(a_material_record(record, i), kind_of(record)));
  }
  return Key(record, std::move(rows), std::move(rotation));
}

}  // namespace keyhold::kms::testing
