// Rows of key_material.
#include <limits>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

MaterialRecord read_material(Row& row) {
  MaterialRecord material;
  material.object_name = row.object_name();
  material.key_id = row.text();
  material.material_id = row.text();
  material.sequence = row.small_number();
  material.custody = row.word<Custody>();
  material.construction = row.word<Construction>();
  material.check_value = row.bytes();
  material.public_key = row.bytes();
  material.created_at = row.time();
  material.rotation_type = row.optional_word<RotationType>();
  material.rotated_at = row.optional_time();
  material.announced = row.flag();
  material.presence = row.word<MaterialPresence>();
  material.standing = row.word<MaterialStanding>();
  material.valid_to = row.optional_time();
  material.description = row.text();
  const auto custody_key = row.optional_object_name();
  Bytes blob = row.bytes();
  Bytes seal = row.bytes();
  if (custody_key) {
    material.wrapped = WrappedRecord{*custody_key, std::move(blob), std::move(seal)};
  }
  return material;
}

/// Parameters 1 to 19, of the statements that write a whole row.
Statement& bind_material(Statement& statement, const MaterialRecord& material) {
  return statement.bind(material.object_name)
      .bind(material.key_id)
      .bind(material.material_id)
      .bind(material.sequence)
      .bind(material.custody)
      .bind(material.construction)
      .bind(material.check_value)
      .bind(material.public_key)
      .bind(material.created_at)
      .bind(material.rotation_type)
      .bind(material.rotated_at)
      .bind(material.announced ? 1 : 0)
      .bind(material.presence)
      .bind(material.standing)
      .bind(material.valid_to)
      .bind(material.description)
      .bind(material.wrapped ? std::optional(material.wrapped->custody_key) : std::nullopt)
      .bind(material.wrapped ? material.wrapped->blob : Bytes())
      .bind(material.wrapped ? material.wrapped->seal : Bytes());
}

}  // namespace

Result<void> SqliteStore::load_materials(Contents& contents) {
  return for_each_row(
      database_.prepare(
          "SELECT object_name, key_id, material_id, sequence, custody, construction, check_value,"
          " public_key, created_at, rotation_type, rotated_at, announced, presence, standing,"
          " valid_to, description, custody_key, wrapped, seal FROM key_material ORDER BY key_id, "
          "sequence"),
      "key_material", [&](Row& row) { contents.materials.push_back(read_material(row)); });
}

Result<void> SqliteStore::end_intent(const MaterialRecord& material) {
  // The intent's end is what lets the material in: of two who finish the same attempt, one does.
  return exactly_one(database_.prepare("DELETE FROM intent WHERE object_name = $1 AND key_id = $2")
                         .bind(material.object_name)
                         .bind(material.key_id)
                         .run());
}

Result<void> SqliteStore::insert_material(const MaterialRecord& material) {
  TRY(end_intent(material));
  if (material.wrapped) TRY(expect_wraps(material.wrapped->custody_key));
  auto insertion = database_.prepare(
      "INSERT INTO key_material (object_name, key_id, material_id, sequence, custody, construction,"
      " check_value, public_key, created_at, rotation_type, rotated_at, announced, presence,"
      " standing, valid_to, description, custody_key, wrapped, seal, invocations)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
      " $19, 0)");
  return exactly_one(bind_material(insertion, material).run());
}

Result<void> SqliteStore::write_material(const MaterialRecord& material) {
  if (material.wrapped) TRY(expect_wraps(material.wrapped->custody_key));
  auto update = database_.prepare(
      "UPDATE key_material SET object_name = $1, key_id = $2, material_id = $3, sequence = $4, "
      "custody = $5, construction = $6,"
      " check_value = $7, public_key = $8, created_at = $9, rotation_type = $10, rotated_at = $11,"
      " announced = $12, presence = $13, standing = $14, valid_to = $15, description = $16,"
      " custody_key = $17, wrapped = $18, seal = $19"
      " WHERE key_id = $2 AND material_id = $3");
  return exactly_one(bind_material(update, material).run());
}

Result<void> SqliteStore::mark_announced(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(
        database_.prepare("UPDATE key_material SET announced = 1 WHERE object_name = $1")
            .bind(object_name)
            .run());
  });
}

Result<std::uint64_t> SqliteStore::reserve_invocations(const ObjectName& material,
                                                       std::uint64_t count) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<std::uint64_t> {
    auto row = database_.prepare("SELECT invocations FROM key_material WHERE object_name = $1");
    TRY_ASSIGN(const bool found, row.bind(material).next());
    if (!found) return gone();
    if (!row.is_integer(0) || row.integer(0) < 0) {
      return Error(ErrorCode::kKmsInternal, {}, "store: a count of invocations is damaged");
    }
    const auto before = static_cast<std::uint64_t>(row.integer(0));
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (count > kMost - before) {
      return Error(ErrorCode::kKmsInternal, {}, "store: more invocations than can be counted");
    }
    TRY(exactly_one(
        database_.prepare("UPDATE key_material SET invocations = $1 WHERE object_name = $2")
            .bind(before + count)
            .bind(material)
            .run()));
    return before;
  });
}

}  // namespace keyhold::store
