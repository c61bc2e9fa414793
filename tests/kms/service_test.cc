// The life of a KMS key, over a real token and a real store.
#include "kms/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "kms/arn.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { world_.open(); }
  Service& service() { return world_.service(); }
  World world_;
};

TEST_F(ServiceTest, BearsAKeyThatIsThereAtOnceAndAfterARestart) {
  const KeyPtr key = world_.create_key("for invoices");
  ASSERT_TRUE(key);
  EXPECT_TRUE(is_key_id(key->id()));
  EXPECT_EQ(key->arn(), key_arn(kRegion, kAccount, key->id()));
  EXPECT_EQ(key->record().description, "for invoices");
  EXPECT_EQ(key->record().state, KeyState::kEnabled);
  EXPECT_EQ(key->record().created_at, kStart);
  EXPECT_EQ(key->materials().size(), 1U);
  EXPECT_EQ(key->current_material().record.material_id,
            key->current_material().record.object_name.hex());
  for (int life = 0; life < 2; ++life) {
    const auto found = service().find_key(world_.scope, key->id(), KeyLookup::kIdOrArn);
    ASSERT_TRUE(found) << why(found);
    EXPECT_EQ((*found)->record(), key->record());
    EXPECT_EQ(world_.expect_whole(), 0U);
    world_.restart();
  }
}

TEST_F(ServiceTest, KeepsTheValueOfAKeysMaterialInTheToken) {
  const KeyPtr key = world_.create_key();
  const auto shown = world_.token().evidence(key->current_material().record.object_name);
  ASSERT_TRUE(shown) << why(shown);
  EXPECT_EQ(shown->local, true);
  EXPECT_EQ(shown->always_sensitive, true);
  EXPECT_EQ(shown->never_extractable, true);
  EXPECT_EQ(key->current_material().record.custody, Custody::kResident);
}

TEST_F(ServiceTest, DecryptsWhatItEncryptedInThisLifeAndTheNext) {
  const KeyPtr key = world_.create_key();
  const Bytes small = world_.encrypt(key, "");
  const std::string large(4096, 'x');
  const Bytes big = world_.encrypt(key, large);
  EXPECT_NE(world_.encrypt(key, large), big) << "one IV was used twice";
  for (int life = 0; life < 2; ++life) {
    const auto nothing = world_.decrypt(small);
    ASSERT_TRUE(nothing) << why(nothing);
    EXPECT_TRUE(nothing->plaintext.empty());
    const auto all = world_.decrypt(big);
    ASSERT_TRUE(all) << why(all);
    EXPECT_EQ(all->plaintext.text(), large);
    EXPECT_EQ(all->material_id, key->current_material().record.material_id);
    world_.restart();
  }
}

TEST_F(ServiceTest, BindsTheEncryptionContext) {
  const KeyPtr key = world_.create_key();
  const auto context = EncryptionContext::from_pairs({{"a", "1"}, {"b", "2"}});
  const auto encrypted = service().encrypt(*key, as_bytes("text"), *context);
  ASSERT_TRUE(encrypted) << why(encrypted);
  const auto blob = parse_ciphertext_blob(encrypted->blob);
  ASSERT_TRUE(blob);
  EXPECT_TRUE(
      service().decrypt(*key, *blob, *EncryptionContext::from_pairs({{"b", "2"}, {"a", "1"}})));
  for (const auto& other : {EncryptionContext(), *EncryptionContext::from_pairs({{"a", "1"}}),
                            *EncryptionContext::from_pairs({{"a", "1"}, {"b", "3"}}),
                            *EncryptionContext::from_pairs({{"a", "1"}, {"b", "2"}, {"c", ""}})}) {
    const auto refused = service().decrypt(*key, *blob, other);
    EXPECT_EQ(code_of(refused), ErrorCode::kInvalidCiphertext);
    EXPECT_EQ(refused.error().message(), "");
  }
}

TEST_F(ServiceTest, DecryptsNoBlobThatWasChangedAnywhere) {
  const KeyPtr key = world_.create_key();
  const Bytes blob = world_.encrypt(key, "text");
  for (std::size_t at = 0; at < blob.size(); ++at) {
    Bytes changed = blob;
    changed[at] ^= 0x20;
    const auto parsed = parse_ciphertext_blob(changed);
    if (!parsed) continue;
    const auto refused = service().decrypt(*key, *parsed, {});
    ASSERT_EQ(code_of(refused), ErrorCode::kInvalidCiphertext) << at;
    ASSERT_EQ(refused.error().message(), "") << at;
  }
  EXPECT_TRUE(world_.decrypt(blob)) << "good ciphertexts suffer for bad ones";
}

TEST_F(ServiceTest, DecryptsNoBlobThatWasMovedToAnotherKeyOrMaterial) {
  const KeyPtr one = world_.create_key();
  const KeyPtr other = world_.create_key();
  const Bytes blob = world_.encrypt(one, "text");
  const auto parsed = parse_ciphertext_blob(blob);
  ASSERT_TRUE(parsed);
  // As it is, under the other key; and rewritten to name the other key or its material.
  EXPECT_EQ(code_of(service().decrypt(*other, *parsed, {})), ErrorCode::kInvalidCiphertext);
  const auto rewritten = [&](std::string_view key_id, ByteView material_id) {
    Bytes forged = ciphertext_header(parsed->construction, key_id, material_id, parsed->salt,
                                     parsed->header_tag, parsed->iv.size());
    append(forged, parsed->iv);
    append(forged, parsed->ciphertext_and_tag);
    return forged;
  };
  EXPECT_EQ(rewritten(one->id(), one->current_material().material_id), blob);
  for (const auto& forged : {rewritten(other->id(), other->current_material().material_id),
                             rewritten(other->id(), one->current_material().material_id),
                             rewritten(one->id(), other->current_material().material_id)}) {
    EXPECT_EQ(code_of(world_.decrypt(forged)), ErrorCode::kInvalidCiphertext);
  }
}

TEST_F(ServiceTest, MovesBetweenEnabledAndDisabledAsOftenAsAsked) {
  const KeyPtr key = world_.create_key();
  for (int i = 0; i < 2; ++i) {
    for (int again = 0; again < 2; ++again) {
      ASSERT_TRUE(service().disable_key(*key));
      EXPECT_EQ(world_.newest(key)->record().state, KeyState::kDisabled);
    }
    world_.restart();
    EXPECT_EQ(world_.newest(key)->record().state, KeyState::kDisabled);
    for (int again = 0; again < 2; ++again) {
      ASSERT_TRUE(service().enable_key(*key));
      EXPECT_EQ(world_.newest(key)->record().state, KeyState::kEnabled);
    }
  }
}

TEST_F(ServiceTest, KeepsADescriptionAndRefusesItForAKeyPendingDeletion) {
  const KeyPtr key = world_.create_key("old");
  ASSERT_TRUE(service().update_description(*key, "new \xf0\x9f\x94\x91"));
  world_.restart();
  EXPECT_EQ(world_.newest(key)->record().description, "new \xf0\x9f\x94\x91");
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  EXPECT_EQ(code_of(service().update_description(*key, "x")), ErrorCode::kKmsInvalidState);
}

TEST_F(ServiceTest, AnswersRandomBytesOfAnySize) {
  for (const std::size_t size : {1, 32, 1024}) {
    const auto one = service().random(size);
    const auto other = service().random(size);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->size(), size);
    if (size > 1) {
      EXPECT_FALSE(equal_in_constant_time(one->view(), other->view()));
    }
  }
}

// --- Finding keys: each row is AWS's answer to one form of identifier. ---

TEST_F(ServiceTest, FindsAKeyByIdAndByArn) {
  const KeyPtr key = world_.create_key();
  for (const auto lookup : {KeyLookup::kIdOrArn, KeyLookup::kIdArnOrAlias}) {
    for (const std::string& identifier : {key->id(), key->arn()}) {
      const auto found = service().find_key(world_.scope, identifier, lookup);
      ASSERT_TRUE(found) << identifier << ": " << why(found);
      EXPECT_EQ((*found)->id(), key->id());
    }
  }
}

TEST_F(ServiceTest, FindsAKeyByItsAliasOnlyWhereAliasesAreTaken) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *key));
  const std::string arn = alias_arn(kRegion, kAccount, "alias/a");
  for (const std::string& identifier : {std::string("alias/a"), arn, std::string("alias/none"),
                                        alias_arn(kRegion, kAccount, "alias/none")}) {
    const auto refused = service().find_key(world_.scope, identifier, KeyLookup::kIdOrArn);
    EXPECT_EQ(code_of(refused), ErrorCode::kInvalidArn) << identifier;
    EXPECT_EQ(refused.error().message(), "Key Aliases are not supported for this operation.");
  }
  for (const std::string& identifier : {std::string("alias/a"), arn}) {
    const auto found = service().find_key(world_.scope, identifier, KeyLookup::kIdArnOrAlias);
    ASSERT_TRUE(found) << identifier << ": " << why(found);
    EXPECT_EQ((*found)->id(), key->id());
  }
}

TEST_F(ServiceTest, RefusesIdentifiersWithAwsErrorsAndTexts) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *key));
  const std::string unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
  const std::string unknown_arn = key_arn(kRegion, kAccount, unknown);
  struct Row {
    std::string identifier;
    ErrorCode code;
    std::string message;
  };
  const std::string arn = key->arn();
  const std::vector<Row> rows{
      {unknown, ErrorCode::kNotFound, "Key '" + unknown_arn + "' does not exist"},
      {unknown_arn, ErrorCode::kNotFound, "Key '" + unknown_arn + "' does not exist"},
      {"mrk-1234abcd12ab34cd56ef1234567890ab", ErrorCode::kNotFound,
       "Key '" + key_arn(kRegion, kAccount, "mrk-1234abcd12ab34cd56ef1234567890ab") +
           "' does not exist"},
      {"fake-key-id", ErrorCode::kNotFound, "Invalid keyId 'fake-key-id'"},
      {"1234abcd12ab34cd56ef1234567890ab", ErrorCode::kNotFound,
       "Invalid keyId '1234abcd12ab34cd56ef1234567890ab'"},
      {key_arn("us-west-2", kAccount, key->id()), ErrorCode::kNotFound, "Invalid arn us-west-2"},
      {"alias/none", ErrorCode::kNotFound,
       "Alias " + alias_arn(kRegion, kAccount, "alias/none") + " is not found."},
      {alias_arn(kRegion, kAccount, "alias/none"), ErrorCode::kNotFound,
       "Alias " + alias_arn(kRegion, kAccount, "alias/none") + " is not found."},
      {"alias/A", ErrorCode::kNotFound,
       "Alias " + alias_arn(kRegion, kAccount, "alias/A") + " is not found."},
      {key_arn(kRegion, "999999999999", key->id()), ErrorCode::kAccessDenied, ""},
      {alias_arn(kRegion, "999999999999", "alias/a"), ErrorCode::kAccessDenied, ""},
      {"arn:aws:kms:x", ErrorCode::kInvalidArn, "Invalid arn arn:aws:kms:x"},
  };
  for (const Row& row : rows) {
    const auto refused = service().find_key(world_.scope, row.identifier, KeyLookup::kIdArnOrAlias);
    ASSERT_EQ(code_of(refused), row.code) << row.identifier;
    EXPECT_EQ(refused.error().message(), row.message) << row.identifier;
  }
}

TEST_F(ServiceTest, ReadsNoAliasOutOfAKeyArnAndNoArnOfAnotherPartition) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *key));
  const auto alias_in_key = service().find_key(world_.scope, key_arn(kRegion, kAccount, "alias/a"),
                                               KeyLookup::kIdArnOrAlias);
  EXPECT_EQ(code_of(alias_in_key), ErrorCode::kNotFound);
  std::string foreign = key->arn();
  foreign.replace(foreign.find("aws"), 3, "aws-cn");
  EXPECT_EQ(code_of(service().find_key(world_.scope, foreign, KeyLookup::kIdOrArn)),
            ErrorCode::kInvalidArn);
}

TEST_F(ServiceTest, ShowsAKeyToItsOwnAccountAndRegionAndToOthersByItsArn) {
  const KeyPtr key = world_.create_key();
  const Scope other_region{std::string(kAccount), "us-east-1"};
  const Scope other_account{"999999999999", std::string(kRegion)};
  for (const Scope& scope : {other_region, other_account}) {
    EXPECT_EQ(code_of(service().find_key(scope, key->id(), KeyLookup::kIdOrArn)),
              ErrorCode::kNotFound);
    EXPECT_TRUE(service().list_keys(scope, {})->elements.empty());
  }
  EXPECT_EQ(service().inspect_key(key->id()), key);
  // Ciphertexts name their key by id; whether it may be used is not asked here.
  EXPECT_EQ(service().find_key_by_id(other_region, key->id()), nullptr);
  EXPECT_EQ(service().find_key_by_id(other_account, key->id()), key);

  ASSERT_TRUE(service().create_alias(world_.scope, "alias/mine", *key));
  const std::string alias =
      "arn:aws:kms:" + world_.scope.region + ":" + world_.scope.account + ":alias/mine";
  for (const std::string& arn : {key->arn(), alias}) {
    const auto found = service().find_key(other_account, arn, KeyLookup::kIdArnOrAlias);
    ASSERT_TRUE(found) << why(found);
    EXPECT_EQ(*found, key);
    EXPECT_EQ(code_of(service().find_key(other_account, arn + "x", KeyLookup::kIdArnOrAlias)),
              ErrorCode::kAccessDenied);
  }
}

// --- Aliases ---

TEST_F(ServiceTest, KeepsAliasesOverARestartAndMovesThem) {
  const KeyPtr one = world_.create_key();
  const KeyPtr other = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *one));
  world_.clock.advance(std::chrono::seconds(5));
  ASSERT_TRUE(service().update_alias(world_.scope, "alias/a", *other));
  for (int life = 0; life < 2; ++life) {
    const auto found = service().find_key(world_.scope, "alias/a", KeyLookup::kIdArnOrAlias);
    ASSERT_TRUE(found) << why(found);
    EXPECT_EQ((*found)->id(), other->id());
    const auto listed = service().list_aliases(world_.scope, other.get(), {});
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->elements.size(), 1U);
    EXPECT_EQ(listed->elements[0].created_at, kStart);
    EXPECT_EQ(listed->elements[0].updated_at, kStart + std::chrono::seconds(5));
    EXPECT_TRUE(service().list_aliases(world_.scope, one.get(), {})->elements.empty());
    world_.restart();
  }
  ASSERT_TRUE(service().delete_alias(world_.scope, "alias/a"));
  world_.restart();
  EXPECT_EQ(code_of(service().find_key(world_.scope, "alias/a", KeyLookup::kIdArnOrAlias)),
            ErrorCode::kNotFound);
  EXPECT_TRUE(world_.newest(one) && world_.newest(other));
}

TEST_F(ServiceTest, RefusesAliasesWithAwsErrorsAndTexts) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *key));
  const auto twice = service().create_alias(world_.scope, "alias/a", *key);
  EXPECT_EQ(code_of(twice), ErrorCode::kAlreadyExists);
  EXPECT_EQ(
      twice.error().message(),
      "An alias with the name " + alias_arn(kRegion, kAccount, "alias/a") + " already exists");
  const std::string not_found =
      "Alias " + alias_arn(kRegion, kAccount, "alias/b") + " is not found.";
  const auto updated = service().update_alias(world_.scope, "alias/b", *key);
  EXPECT_EQ(code_of(updated), ErrorCode::kNotFound);
  EXPECT_EQ(updated.error().message(), not_found);
  const auto deleted = service().delete_alias(world_.scope, "alias/b");
  EXPECT_EQ(code_of(deleted), ErrorCode::kNotFound);
  EXPECT_EQ(deleted.error().message(), not_found);
}

TEST_F(ServiceTest, MovesAnAliasOnlyToAKeyOfTheSameTypeAndUsage) {
  const auto made = [&](KeySpec spec, KeyUsage usage) {
    NewKey wanted;
    wanted.spec = spec;
    wanted.usage = usage;
    const auto key = service().create_key(world_.scope, wanted);
    EXPECT_TRUE(key) << why(key);
    return *key;
  };
  struct Kind {
    std::string type;
    KeyPtr key;
  };
  const std::vector<Kind> kinds = {
      {"symmetric", world_.create_key()},
      {"symmetric", made(KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac)},
      {"asymmetric", made(KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt)},
      {"asymmetric", made(KeySpec::kRsa2048, KeyUsage::kSignVerify)},
      {"asymmetric", made(KeySpec::kEccNistP256, KeyUsage::kSignVerify)},
      {"asymmetric", made(KeySpec::kEccNistP256, KeyUsage::kKeyAgreement)},
  };
  for (const Kind& from : kinds) {
    ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *from.key));
    for (const Kind& to : kinds) {
      const std::string old_usage(to_string(from.key->record().usage));
      const std::string new_usage(to_string(to.key->record().usage));
      std::string refusal;
      if (old_usage != new_usage) {
        refusal = "key usage " + old_usage + " to a key with key usage " + new_usage;
      } else if (from.type != to.type) {
        refusal = "key type " + from.type + " to a key with key type " + to.type;
      }
      const auto moved = service().update_alias(world_.scope, "alias/a", *to.key);
      if (refusal.empty()) {
        EXPECT_TRUE(moved) << why(moved);
        ASSERT_TRUE(service().update_alias(world_.scope, "alias/a", *from.key));
        continue;
      }
      ASSERT_EQ(code_of(moved), ErrorCode::kValidation);
      EXPECT_EQ(moved.error().message(), "Alias " + alias_arn(kRegion, kAccount, "alias/a") +
                                             " cannot be changed from a key with " + refusal);
      EXPECT_EQ(service().list_aliases(world_.scope, from.key.get(), {})->elements.size(), 1U);
    }
    ASSERT_TRUE(service().delete_alias(world_.scope, "alias/a"));
  }
}

TEST_F(ServiceTest, PutsNoAliasOnAKeyThatWaitsForItsDeletion) {
  const KeyPtr pending = world_.create_key();
  const KeyPtr good = world_.create_key();
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/old", *pending));
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *good));
  ASSERT_TRUE(service().schedule_deletion(*pending, 7));
  EXPECT_EQ(code_of(service().create_alias(world_.scope, "alias/b", *pending)),
            ErrorCode::kKmsInvalidState);
  EXPECT_EQ(code_of(service().update_alias(world_.scope, "alias/a", *pending)),
            ErrorCode::kKmsInvalidState);
  EXPECT_EQ(code_of(service().update_alias(world_.scope, "alias/old", *pending)),
            ErrorCode::kKmsInvalidState);
  // Its name stays taken, and may move away or go.
  EXPECT_EQ(code_of(service().create_alias(world_.scope, "alias/old", *good)),
            ErrorCode::kAlreadyExists);
  EXPECT_TRUE(service().update_alias(world_.scope, "alias/old", *good));
}

TEST_F(ServiceTest, AllowsAsManyAliasesAsTheLimitOnCreateAndOnUpdate) {
  world_.options.alias_limit = 3;
  world_.restart();
  const KeyPtr key = world_.create_key();
  const KeyPtr other = world_.create_key();
  for (const auto name : {"alias/1", "alias/2", "alias/3"}) {
    ASSERT_TRUE(service().create_alias(world_.scope, name, *key));
  }
  EXPECT_EQ(code_of(service().create_alias(world_.scope, "alias/4", *key)),
            ErrorCode::kLimitExceeded);
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/4", *other));
  EXPECT_EQ(code_of(service().update_alias(world_.scope, "alias/4", *key)),
            ErrorCode::kLimitExceeded);
  EXPECT_TRUE(service().update_alias(world_.scope, "alias/3", *key)) << "it has that one already";
  ASSERT_TRUE(service().delete_alias(world_.scope, "alias/3"));
  EXPECT_TRUE(service().update_alias(world_.scope, "alias/4", *key));
}

TEST_F(ServiceTest, KeepsAliasesOfOneNameApartByRegionAndAccount) {
  const Scope elsewhere{std::string(kAccount), "us-east-1"};
  const KeyPtr here = world_.create_key();
  const auto there = service().create_key(elsewhere, {});
  ASSERT_TRUE(there) << why(there);
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/a", *here));
  ASSERT_TRUE(service().create_alias(elsewhere, "alias/a", **there));
  EXPECT_EQ((*service().find_key(elsewhere, "alias/a", KeyLookup::kIdArnOrAlias))->id(),
            (*there)->id());
  ASSERT_TRUE(service().delete_alias(world_.scope, "alias/a"));
  EXPECT_TRUE(service().find_key(elsewhere, "alias/a", KeyLookup::kIdArnOrAlias));
}

// --- Time ---

TEST_F(ServiceTest, LeavesNothingBehindWhenTheDeadlinePassesBeforeAKeyIsBegun) {
  world_.options.material_deadline = milliseconds(20);
  world_.restart();
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "check") std::this_thread::sleep_for(milliseconds(200));
    return {};
  };
  const auto refused = service().create_key(world_.scope, {});
  EXPECT_EQ(code_of(refused), ErrorCode::kDependencyTimeout);
  world_.restart();  // waits for the job, which may still be in the token
  EXPECT_TRUE(service().list_keys(world_.scope, {})->elements.empty());
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ServiceTest, FinishesABirthWhoseDeadlinePassedAfterItWasBegun) {
  world_.options.material_deadline = milliseconds(100);
  world_.restart();
  std::atomic<bool> begun{false};
  world_.store_hook.after = [&](std::string_view call) {
    if (call == "begin_key") begun = true;
  };
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "generate_material") std::this_thread::sleep_for(milliseconds(400));
    return {};
  };
  EXPECT_EQ(code_of(service().create_key(world_.scope, {})), ErrorCode::kDependencyTimeout);
  world_.restart();
  EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), begun ? 1U : 0U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

}  // namespace
}  // namespace keyhold::kms
