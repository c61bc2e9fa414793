// Rows of key_tag: part of their key's record, written whenever it is.
#include <algorithm>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {

Result<void> SqliteStore::load_tags(std::vector<KeyRecord>& keys) {
  return for_each_row(
      database_.prepare("SELECT key_id, tag_key, tag_value FROM key_tag ORDER BY key_id, tag_key"),
      "key_tag", [&](Row& row) {
        const std::string key_id = row.text();
        const auto key = std::ranges::lower_bound(keys, key_id, {}, &KeyRecord::id);
        if (key == keys.end() || key->id != key_id) return;
        Tag tag;
        tag.key = row.text();
        tag.value = row.text();
        key->tags.push_back(std::move(tag));
      });
}

Result<void> SqliteStore::insert_tags(const KeyRecord& key) {
  for (const Tag& tag : key.tags) {
    TRY(exactly_one(
        database_.prepare("INSERT INTO key_tag (key_id, tag_key, tag_value) VALUES ($1, $2, $3)")
            .bind(key.id)
            .bind(tag.key)
            .bind(tag.value)
            .run()));
  }
  return {};
}

Result<void> SqliteStore::delete_tags(std::string_view key_id) {
  TRY(database_.prepare("DELETE FROM key_tag WHERE key_id = $1").bind(key_id).run());
  return {};
}

}  // namespace keyhold::store
