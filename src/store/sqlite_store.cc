#include "store/sqlite_store.h"

namespace keyhold::store {

Result<Contents> SqliteStore::load() {
  return transact(Transaction::Kind::kRead, [&]() -> Result<Contents> {
    Contents contents;
    TRY(load_keys(contents));
    TRY(load_tags(contents.keys));
    TRY(load_tags(contents.unborn_keys));
    TRY(load_materials(contents));
    TRY(load_intents(contents));
    TRY(load_wrapping_keys(contents));
    TRY(load_custody_keys(contents));
    TRY(load_aliases(contents));
    TRY(load_credentials(contents));
    TRY(load_grants(contents));
    TRY(load_usages(contents));
    return contents;
  });
}

Result<void> SqliteStore::check() {
  return transact(Transaction::Kind::kRead, [&]() -> Result<void> {
    TRY(database_.prepare("SELECT MAX(version) FROM schema_version").run());
    return {};
  });
}

}  // namespace keyhold::store
