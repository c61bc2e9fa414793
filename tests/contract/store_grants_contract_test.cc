// What every Store promises of grants, usages and aliases.
#include "store_contract.h"

namespace keyhold::store {
namespace {

using namespace testing;

// Grants

TEST_P(StoreContract, EveryFieldOfAGrantComesBackAsItWent) {
  const auto [key, material] = born();
  GrantRecord one = a_grant(key);
  GrantRecord two = a_grant(key);
  two.name = two.retiring_principal = two.source_arn = "";
  two.context_constraint = ContextConstraint::kNone;
  two.context.clear();
  two.operations = {GrantOperation::kDeriveSharedSecret};
  EXPECT_OK(store_->insert_grant(one));
  EXPECT_OK(store_->insert_grant(two));
  if (two.grant_id < one.grant_id) std::swap(one, two);
  reopen();
  EXPECT_THAT(load().grants, ElementsAre(one, two));
}

TEST_P(StoreContract, AGrantIsInsertedOnceAndDeletedOnce) {
  const auto [key, material] = born();
  const GrantRecord grant = a_grant(key);
  EXPECT_OK(store_->insert_grant(grant));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_grant(grant));
  EXPECT_THAT(load().grants, ElementsAre(grant));
  EXPECT_OK(store_->delete_grant(grant.grant_id));
  EXPECT_REFUSED(ErrorCode::kNotFound, store_->delete_grant(grant.grant_id));
  EXPECT_THAT(load().grants, IsEmpty());
  // Nothing of it is left to be in the way.
  EXPECT_OK(store_->insert_grant(grant));
}

TEST_P(StoreContract, AGrantOnAKeyThatIsGoneConflicts) {
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_grant(a_grant(a_key())));
}

TEST_P(StoreContract, AnErasedKeyTakesItsGrantsAndItsUsage) {
  const auto [key, material] = born();
  const auto [kept, kept_material] = born();
  const GrantRecord kept_grant = a_grant(kept);
  EXPECT_OK(store_->insert_grant(a_grant(key)));
  EXPECT_OK(store_->insert_grant(kept_grant));
  const UsageRecord usage{key.id, "Encrypt", at(1), "event", "request"};
  const UsageRecord kept_usage{kept.id, "Decrypt", at(2), "event", "request"};
  EXPECT_OK(store_->put_usages(std::vector{usage, kept_usage}));
  EXPECT_OK(store_->erase_key(key.id));
  reopen();
  EXPECT_THAT(load().grants, ElementsAre(kept_grant));
  EXPECT_THAT(load().usages, ElementsAre(kept_usage));
}

TEST_P(StoreContract, AUsageIsReplacedByALaterOneOnly) {
  const auto [key, material] = born();
  const UsageRecord first{key.id, "Encrypt", at(100), "e1", "r1"};
  const UsageRecord later{key.id, "Decrypt", at(101), "e2", "r2"};
  const UsageRecord earlier{key.id, "Encrypt", at(99), "e3", "r3"};
  const UsageRecord of_nothing{"no such key", "Encrypt", at(100), "e4", "r4"};
  EXPECT_OK(store_->put_usages(std::vector{first, of_nothing}));
  EXPECT_THAT(load().usages, ElementsAre(first));
  EXPECT_OK(store_->put_usages(std::vector{later}));
  EXPECT_OK(store_->put_usages(std::vector{earlier}));
  EXPECT_THAT(load().usages, ElementsAre(later));
}

// Aliases

TEST_P(StoreContract, AnAliasIsUniqueInItsAccountAndRegion) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));

  const AliasRecord again = an_alias(other_key, "alias/app");
  const auto refused = store_->insert_alias(again);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(refused.error().message(), "");

  AliasRecord other_region = alias;
  other_region.region = "us-east-1";
  AliasRecord other_account = alias;
  other_account.account = "444455556666";
  AliasRecord other_case = alias;
  other_case.name = "alias/App";
  EXPECT_OK(store_->insert_alias(other_region));
  EXPECT_OK(store_->insert_alias(other_account));
  EXPECT_OK(store_->insert_alias(other_case));
  EXPECT_THAT(load().aliases, ElementsAre(other_case, alias, other_region, other_account));
}

TEST_P(StoreContract, AnAliasMovesToAnotherKeyAndGoes) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  alias.target_key_id = other_key.id;
  alias.updated_at = at(1795539999999);
  EXPECT_OK(store_->update_alias(alias));
  EXPECT_THAT(load().aliases, ElementsAre(alias));
  EXPECT_OK(store_->delete_alias(alias.account, alias.region, alias.name));
  EXPECT_THAT(load().aliases, IsEmpty());
}

TEST_P(StoreContract, AnAliasThatIsNotThereIsNotFound) {
  const auto [key, material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  AliasRecord absent = alias;
  absent.region = "us-east-1";
  for (const auto& result : {store_->update_alias(absent),
                             store_->delete_alias(absent.account, absent.region, absent.name)}) {
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(result.error().message(), "");
  }
  EXPECT_THAT(load().aliases, ElementsAre(alias));
}

TEST_P(StoreContract, AnAliasOfAKeyThatIsGoneConflicts) {
  const auto [key, material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_alias(an_alias(a_key(), "alias/other")));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_alias(an_alias(a_key(), "alias/app")));
  EXPECT_THAT(load().aliases, ElementsAre(alias));
}

}  // namespace
}  // namespace keyhold::store
