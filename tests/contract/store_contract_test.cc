// What every Store promises as a whole, of settings, access keys and invocations; and the engines.
#include "store_contract.h"

#include <sqlite3.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "store/sqlite_store.h"

namespace keyhold::store::testing {
namespace {

Engine sqlite() {
  return {.name = "sqlite",
          .open = [](const std::string& path) -> Result<std::unique_ptr<Store>> {
            TRY_ASSIGN(std::unique_ptr<Store> store, SqliteStore::open(path));
            return store;
          },
          .execute =
              [](const std::string& path, const std::string& sql) {
                sqlite3* database = nullptr;
                ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
                EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
                    << sqlite3_errmsg(database);
                EXPECT_EQ(sqlite3_total_changes(database), 1) << "the statement found no row";
                sqlite3_close(database);
              }};
}

}  // namespace

std::vector<Engine> engines() { return {sqlite()}; }

}  // namespace keyhold::store::testing

namespace keyhold::store {
namespace {

using namespace testing;

TEST_P(StoreContract, ANewStoreIsEmptyAndAnswers) {
  expect_same(load(), Contents{});
  EXPECT_OK(store_->check());
}

// Settings

TEST_P(StoreContract, ASettingIsAbsentUntilPutAndThenTheLastOnePut) {
  const auto absent = store_->setting("token.serial");
  ASSERT_TRUE(absent.has_value());
  EXPECT_EQ(*absent, std::nullopt);
  EXPECT_OK(store_->put_setting("token.serial", "first"));
  EXPECT_OK(store_->put_setting("token.serial", "second"));
  EXPECT_OK(store_->put_setting("other", ""));
  reopen();
  EXPECT_EQ(*store_->setting("token.serial"), "second");
  EXPECT_EQ(*store_->setting("other"), "");
}

// Access keys

TEST_P(StoreContract, ACredentialIsInsertedOnceAndThenUpdated) {
  CredentialRecord credential = a_credential("AKIAIOSFODNN7EXAMPLE");
  EXPECT_REFUSED(ErrorCode::kNotFound, store_->update_credential(credential));
  EXPECT_OK(store_->insert_credential(credential));
  EXPECT_REFUSED(ErrorCode::kAlreadyExists, store_->insert_credential(credential));
  EXPECT_THAT(load().credentials, ElementsAre(credential));

  credential.account = "444455556666";
  credential.principal = "user/other";
  credential.sealed_secret = {};
  credential.status = CredentialStatus::kDisabled;
  credential.generation = 2;
  credential.created_at = at(1795530000000);
  EXPECT_OK(store_->update_credential(credential));
  reopen();
  EXPECT_THAT(load().credentials, ElementsAre(credential));
}

// Invocations

TEST_P(StoreContract, ReservedInvocationsStayCountedWhenTheStoreIsReopened) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 1000), 0U);
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 1), 1000U);
  reopen();
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 0), 1001U);
  EXPECT_EQ(*store_->reserve_invocations(other_material.object_name, 5), 0U);
  Contents expected{.keys = {key, other_key}, .materials = {material, other_material}};
  if (other_key.id < key.id) {
    std::swap(expected.keys[0], expected.keys[1]);
    std::swap(expected.materials[0], expected.materials[1]);
  }
  expect_same(load(), expected);
}

TEST_P(StoreContract, MoreInvocationsThanCanBeCountedAreRefused) {
  const auto [key, material] = born();
  EXPECT_OK(store_->reserve_invocations(material.object_name, 7));
  EXPECT_REFUSED(ErrorCode::kKmsInternal,
                 store_->reserve_invocations(material.object_name, UINT64_MAX));
  EXPECT_REFUSED(ErrorCode::kKmsInternal,
                 store_->reserve_invocations(material.object_name, INT64_MAX - 6));
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, INT64_MAX - 7), 7U);
}

TEST_P(StoreContract, InvocationsOfAMaterialThatIsNotThereAreRefused) {
  EXPECT_REFUSED(ErrorCode::kConflict, store_->reserve_invocations(draw_name(), 1));
}

// All of it

TEST_P(StoreContract, WhatWasWrittenIsThereAfterReopening) {
  auto [key, first] = born();
  const auto [other_key, other_first] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  EXPECT_OK(store_->finish_rotation(key, material_of(intent, 1)));
  EXPECT_OK(store_->begin_material(an_intent(other_key, IntentKind::kRotateAutomatic),
                                   other_key.version));
  const KeyRecord unborn = a_key();
  EXPECT_OK(store_->begin_key(unborn, an_intent(unborn)));
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/a")));
  EXPECT_OK(store_->insert_credential(a_credential("AKIAIOSFODNN7EXAMPLE")));
  const Contents before = load();
  EXPECT_EQ(before.keys.size(), 2U);
  EXPECT_EQ(before.unborn_keys.size(), 1U);
  EXPECT_EQ(before.materials.size(), 3U);
  EXPECT_EQ(before.intents.size(), 2U);
  reopen();
  expect_same(load(), before);
}

TEST_P(StoreContract, ARowWithAnUnknownWordIsRefusedAndNamed) {
  const auto [born_key, born_material] = born();
  const KeyRecord& key = born_key;  // a lambda cannot hold a binding in C++20 as clang has it
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/a")));
  EXPECT_OK(store_->insert_credential(a_credential("AKIAIOSFODNN7EXAMPLE")));
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  const Contents before = load();

  const std::string name = born_material.object_name.hex();
  const auto key_column = [&](const std::string& column, const std::string& bad,
                              const std::string& good) {
    return std::vector<std::string>{"kms_key", column, bad, good, key.id};
  };
  const auto material_column = [&](const std::string& column, const std::string& bad,
                                   const std::string& good) {
    return std::vector<std::string>{"key_material", column, bad, good, name};
  };
  const std::vector<std::vector<std::string>> cases{
      key_column("spec", "'symmetric_default'", "'SYMMETRIC_DEFAULT'"),
      key_column("key_usage", "'ENCRYPT'", "'ENCRYPT_DECRYPT'"),
      key_column("origin", "''", "'AWS_KMS'"),
      key_column("state", "'Forgotten'", "'Enabled'"),
      key_column("created_at", "'yesterday'", "1795531445123"),
      key_column("on_demand_rotations", "-1", "0"),
      key_column("version", "-1", "0"),
      material_column("custody", "'lent'", "'resident'"),
      material_column("construction", "'xor'", "'ecb-derived'"),
      material_column("check_value", "'abc'", "'0001feff'"),
      material_column("rotation_type", "'SOMETIMES'", "NULL"),
      material_column("sequence", "-1", "0"),
      material_column("presence", "'lost'", "'present'"),
      material_column("standing", "''", "'permanent'"),
      material_column("valid_to", "'never'", "NULL"),
      {"intent", "kind", "'think'", "'rotate-on-demand'", intent.object_name.hex()},
      {"alias", "created_at", "'x'", "1795531449004", key.account},
      {"credential", "status", "'retired'", "'active'", "AKIAIOSFODNN7EXAMPLE"},
      {"credential", "sealed_secret", "'80007F'", "'80007f'", "AKIAIOSFODNN7EXAMPLE"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c[0] + "." + c[1]);
    execute("UPDATE " + c[0] + " SET " + c[1] + " = " + c[2]);
    const auto loaded = store_->load();
    ASSERT_TRUE(loaded.has_error());
    EXPECT_EQ(loaded.error().code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(loaded.error().message(), "");
    EXPECT_EQ(loaded.error().detail(), "store: column " + c[1] + " of " + c[0] + " row '" + c[4] +
                                           "' holds a value that this version does not know");
    execute("UPDATE " + c[0] + " SET " + c[1] + " = " + c[3]);
    expect_same(load(), before);
  }
}

TEST_P(StoreContract, ManyThreadsLoseNoReservationAndNoUpdate) {
  const auto [key, material] = born();
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::vector<std::uint64_t>> answers(kThreads);
  std::vector<int> updates(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t, name = material.object_name] {
      for (int round = 0; round < kRounds; ++round) {
        const auto reserved = store_->reserve_invocations(name, 1);
        if (reserved) answers[t].push_back(*reserved);
        const auto contents = store_->load();
        if (!contents || contents->keys.size() != 1) continue;
        if (store_->update_key(contents->keys.front())) ++updates[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();

  std::vector<std::uint64_t> all;
  int updated = 0;
  for (std::size_t t = 0; t < kThreads; ++t) {
    all.insert(all.end(), answers[t].begin(), answers[t].end());
    updated += updates[t];
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), std::size_t{kThreads * kRounds});
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
  EXPECT_EQ(load().keys.front().version, static_cast<std::uint64_t>(updated));
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract, ::testing::ValuesIn(engines()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace keyhold::store
