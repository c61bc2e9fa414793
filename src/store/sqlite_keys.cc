// Rows of kms_key, and the transactions that begin and end with one.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

KeyRecord read_key(Row& row) {
  KeyRecord key;
  key.id = row.text();
  key.account = row.text();
  key.region = row.text();
  key.spec = row.word<KeySpec>();
  key.usage = row.word<KeyUsage>();
  key.origin = row.word<KeyOrigin>();
  key.state = row.word<KeyState>();
  key.description = row.text();
  key.policy = row.text();
  key.created_at = row.time();
  key.deletion_at = row.optional_time();
  key.destroying = row.flag();
  key.rotation_enabled = row.flag();
  key.rotation_period_days = row.small_number();
  key.next_rotation_at = row.optional_time();
  key.on_demand_rotations = row.small_number();
  key.version = row.counter();
  return key;
}

/// Parameters 1 to 17, of the statements that write a whole row.
Statement& bind_key(Statement& statement, const KeyRecord& key) {
  return statement.bind(key.account)
      .bind(key.region)
      .bind(key.spec)
      .bind(key.usage)
      .bind(key.origin)
      .bind(key.state)
      .bind(key.description)
      .bind(key.policy)
      .bind(key.created_at)
      .bind(key.deletion_at)
      .bind(key.destroying ? 1 : 0)
      .bind(key.rotation_enabled ? 1 : 0)
      .bind(key.rotation_period_days)
      .bind(key.next_rotation_at)
      .bind(key.on_demand_rotations)
      .bind(key.id)
      .bind(key.version);
}

}  // namespace

Result<void> SqliteStore::load_keys(Contents& contents) {
  return for_each_row(
      database_.prepare(
          "SELECT id, account, region, spec, key_usage, origin, state, description, policy, "
          "created_at,"
          " deletion_at, destroying, rotation_enabled, rotation_period_days, next_rotation_at,"
          " on_demand_rotations, version, born FROM kms_key ORDER BY id"),
      "kms_key", [&](Row& row) {
        KeyRecord key = read_key(row);
        const bool born = row.flag();
        (born ? contents.keys : contents.unborn_keys).push_back(std::move(key));
      });
}

Result<void> SqliteStore::insert_key_row(const KeyRecord& key, int born) {
  auto insertion = database_.prepare(
      "INSERT INTO kms_key (account, region, spec, key_usage, origin, state, description, policy,"
      " created_at, deletion_at, destroying, rotation_enabled, rotation_period_days,"
      " next_rotation_at, on_demand_rotations, id, version, born)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)");
  TRY(exactly_one(bind_key(insertion, key).bind(born).run()));
  return insert_tags(key);
}

Result<void> SqliteStore::insert_key(const KeyRecord& key) {
  return transact(Transaction::Kind::kWrite, [&] { return insert_key_row(key, 1); });
}

Result<void> SqliteStore::begin_key(const KeyRecord& key, const IntentRecord& intent) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(insert_key_row(key, 0));
    return insert_intent(intent);
  });
}

Result<void> SqliteStore::finish_key(const MaterialRecord& material) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(insert_material(material));
    return exactly_one(database_.prepare("UPDATE kms_key SET born = 1 WHERE id = $1 AND born = 0")
                           .bind(material.key_id)
                           .run());
  });
}

Result<void> SqliteStore::abandon_key(std::string_view key_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM intent WHERE key_id = $1").bind(key_id).run());
    TRY(delete_tags(key_id));
    return exactly_one(
        database_.prepare("DELETE FROM kms_key WHERE id = $1 AND born = 0").bind(key_id).run());
  });
}

Result<void> SqliteStore::begin_material(const IntentRecord& intent, std::uint64_t key_version) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    auto key = database_.prepare(
        "SELECT version FROM kms_key WHERE id = $1 AND version = $2 AND born = 1");
    TRY_ASSIGN(const bool unchanged, key.bind(intent.key_id).bind(key_version).next());
    if (!unchanged) return gone();
    return insert_intent(intent);
  });
}

Result<void> SqliteStore::write_key(const KeyRecord& key) {
  auto update = database_.prepare(
      "UPDATE kms_key SET account = $1, region = $2, spec = $3, key_usage = $4, origin = $5,"
      " state = $6, description = $7, policy = $8, created_at = $9, deletion_at = $10,"
      " destroying = $11, rotation_enabled = $12, rotation_period_days = $13,"
      " next_rotation_at = $14, on_demand_rotations = $15, version = version + 1"
      " WHERE id = $16 AND version = $17 AND born = 1");
  TRY(exactly_one(bind_key(update, key).run()));
  TRY(delete_tags(key.id));
  return insert_tags(key);
}

namespace {

Result<void> check_of_key(const KeyRecord& key, const MaterialRecord& material) {
  if (material.key_id == key.id) return {};
  return Error(ErrorCode::kKmsInternal, {}, "store: a material of another key");
}

}  // namespace

Result<void> SqliteStore::finish_import(const KeyRecord& key, const MaterialRecord& material) {
  TRY(check_of_key(key, material));
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(write_key(key));
    auto known =
        database_.prepare("SELECT 1 FROM key_material WHERE key_id = $1 AND material_id = $2");
    TRY_ASSIGN(const bool again, known.bind(key.id).bind(material.material_id).next());
    if (!again) return insert_material(material);
    TRY(end_intent(material));
    return write_material(material);
  });
}

Result<void> SqliteStore::update_material(const KeyRecord& key, const MaterialRecord& material) {
  TRY(check_of_key(key, material));
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(write_key(key));
    return write_material(material);
  });
}

Result<void> SqliteStore::forget_material(const KeyRecord& key, std::string_view material_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(write_key(key));
    return exactly_one(
        database_.prepare("DELETE FROM key_material WHERE key_id = $1 AND material_id = $2")
            .bind(key.id)
            .bind(material_id)
            .run());
  });
}

Result<void> SqliteStore::finish_rotation(const KeyRecord& key, const MaterialRecord& material) {
  TRY(check_of_key(key, material));
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(write_key(key));
    return insert_material(material);
  });
}

Result<void> SqliteStore::update_key(const KeyRecord& key) {
  return transact(Transaction::Kind::kWrite, [&] { return write_key(key); });
}

Result<void> SqliteStore::erase_key(std::string_view key_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM alias WHERE target_key_id = $1").bind(key_id).run());
    TRY(database_.prepare("DELETE FROM intent WHERE key_id = $1").bind(key_id).run());
    TRY(database_.prepare("DELETE FROM wrapping_key WHERE key_id = $1").bind(key_id).run());
    TRY(database_.prepare("DELETE FROM key_material WHERE key_id = $1").bind(key_id).run());
    TRY(delete_tags(key_id));
    TRY(delete_grants_of_key(key_id));
    TRY(database_.prepare("DELETE FROM key_last_usage WHERE key_id = $1").bind(key_id).run());
    return exactly_one(database_.prepare("DELETE FROM kms_key WHERE id = $1").bind(key_id).run());
  });
}

}  // namespace keyhold::store
