// Key material from outside, from CreateKey to deletion, on the whole domain.
#include <gtest/gtest.h>

#include <algorithm>

#include "kms/import.h"
#include "kms/wrapping_keys.h"
#include "tests/kms/fixture.h"
#include "tests/support/wrapped_material.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using enum WrappingAlgorithm;

Bytes draw_material(std::size_t size = 32) {
  SystemRandom random;
  Bytes material(size);
  random.fill(material);
  return material;
}

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.open();
    world_.allow_imports();
  }

  KeyState state(const KeyPtr& key) { return world_.newest(key)->record().state; }

  /// Whether the material of that id has its object in the token.
  bool in_token(const KeyPtr& key, const std::string& id) {
    const auto* material = world_.newest(key)->find_material(*from_hex(id));
    const auto names = world_.object_names();
    return material != nullptr &&
           std::ranges::count(names, material->record.object_name.hex()) == 1;
  }

  std::string must_import(const KeyPtr& key, const Bytes& material, ImportRequest request = {}) {
    const auto id = world_.import(key, material, std::move(request));
    EXPECT_TRUE(id) << why(id);
    return id ? *id : std::string();
  }

  void must_delete(const KeyPtr& key, const std::optional<std::string>& id = {}) {
    const auto deleted = world_.service().delete_imported_material(*world_.newest(key), id);
    EXPECT_TRUE(deleted) << why(deleted);
  }

  World world_;
};

TEST_F(ImportTest, ANewKeyWaitsForItsMaterial) {
  const KeyPtr key = world_.create_external_key();
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_EQ(key->find_current_material(), nullptr);
  EXPECT_TRUE(key->materials().empty());
  const auto before = world_.object_names();
  world_.restart();
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_EQ(world_.object_names(), before);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, TheFirstMaterialIsCurrentAtOnce) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  ImportRequest request;
  request.valid_to = world_.clock.now() + 24h;
  request.description = "from the safe";
  const std::string id = must_import(key, material, request);
  EXPECT_EQ(state(key), KeyState::kEnabled);
  const auto& row = world_.newest(key)->current_material().record;
  EXPECT_EQ(row.material_id, id);
  EXPECT_NE(row.object_name.hex(), id);
  EXPECT_EQ(row.custody, Custody::kImported);
  EXPECT_EQ(row.valid_to, request.valid_to);
  EXPECT_EQ(row.description, "from the safe");
  EXPECT_FALSE(row.rotated_at);
  EXPECT_TRUE(in_token(key, id));
  const Bytes blob = world_.encrypt(key, "attack at dawn");
  world_.restart();
  const auto plain = world_.decrypt(blob);
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->plaintext.text(), "attack at dawn");
  EXPECT_EQ(plain->material_id, id);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, TheSameMaterialHasAnotherIdInAnotherKey) {
  const Bytes material = draw_material();
  const KeyPtr one = world_.create_external_key();
  const KeyPtr other = world_.create_external_key();
  EXPECT_NE(must_import(one, material), must_import(other, material));
}

TEST_F(ImportTest, DeletedMaterialThatIsImportedAgainDecryptsWhatItEncrypted) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  const std::string id = must_import(key, material);
  const Bytes blob = world_.encrypt(key, "before");
  ASSERT_TRUE(in_token(key, id));

  must_delete(key);
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_FALSE(in_token(key, id));
  EXPECT_EQ(world_.newest(key)->current_material().record.material_id, id);
  EXPECT_EQ(world_.expect_whole(), 0U);
  must_delete(key);  // no effect
  world_.restart();
  EXPECT_EQ(state(key), KeyState::kPendingImport);

  EXPECT_EQ(must_import(key, material), id);
  EXPECT_EQ(state(key), KeyState::kEnabled);
  const auto plain = world_.decrypt(blob);
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->plaintext.text(), "before");
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, AnotherMaterialIsRefusedAndLeavesNothing) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  must_import(key, material);
  const auto before = world_.newest(key);
  const auto objects = world_.object_names().size();
  EXPECT_EQ(code_of(world_.import(key, draw_material())), ErrorCode::kIncorrectKeyMaterial);
  EXPECT_EQ(world_.object_names().size(), objects + 2) << "the wrapping key's two objects";
  EXPECT_EQ(world_.newest(key)->record(), before->record());
  must_delete(key);
  EXPECT_EQ(code_of(world_.import(key, draw_material())), ErrorCode::kIncorrectKeyMaterial);
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, MaterialWhoseTimeIsOverIsDestroyedAndToldOf) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  ImportRequest request;
  request.valid_to = world_.clock.now() + 24h;
  const std::string id = must_import(key, material, request);
  const Bytes blob = world_.encrypt(key, "before");
  world_.service().run_due_work();
  EXPECT_EQ(state(key), KeyState::kEnabled);

  world_.clock.advance(24h);
  world_.service().run_due_work();
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_FALSE(in_token(key, id));
  ASSERT_EQ(world_.events.expiries().size(), 1U);
  const auto event = world_.events.expiries().front();
  EXPECT_EQ(event.key_arn, key->arn());
  EXPECT_EQ(event.material_id, id);
  EXPECT_EQ(event.expired_at, *request.valid_to);
  EXPECT_FALSE(world_.newest(key)->current_material().record.valid_to);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.service().run_due_work();
  EXPECT_EQ(world_.events.expiries().size(), 1U);

  must_import(key, material);
  EXPECT_TRUE(world_.decrypt(blob));
}

TEST_F(ImportTest, MaterialWhoseTimePassedWhileNobodyRanIsDestroyedAtTheNextStart) {
  const KeyPtr key = world_.create_external_key();
  ImportRequest request;
  request.valid_to = world_.clock.now() + 24h;
  must_import(key, draw_material(), request);
  world_.close();
  world_.clock.advance(48h);
  world_.open();
  world_.service().run_due_work();
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, AnImportOfWhatIsThereChangesItsEndAlone) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  ImportRequest request;
  request.valid_to = world_.clock.now() + 24h;
  request.description = "kept";
  const std::string id = must_import(key, material, request);
  const auto before = world_.newest(key)->current_material().record;
  must_import(key, material);
  auto after = world_.newest(key)->current_material().record;
  EXPECT_FALSE(after.valid_to);
  after.valid_to = before.valid_to;
  EXPECT_EQ(after, before) << "an object was made for nothing";
  world_.clock.advance(48h);
  world_.service().run_due_work();
  EXPECT_EQ(state(key), KeyState::kEnabled);
}

TEST_F(ImportTest, AnImportBringsBackAnObjectThatWasLost) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  const std::string id = must_import(key, material);
  const Bytes blob = world_.encrypt(key, "before");
  const auto lost = world_.newest(key)->current_material().record.object_name;
  ASSERT_TRUE(world_.token().destroy_material(lost));
  ASSERT_FALSE(world_.decrypt(blob));
  EXPECT_EQ(must_import(key, material), id);
  EXPECT_NE(world_.newest(key)->current_material().record.object_name, lost);
  EXPECT_TRUE(world_.decrypt(blob));
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, WhatWasOnceStagedStaysSo) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  const auto custody = [&] { return world_.newest(key)->current_material().record.custody; };
  ASSERT_TRUE(world_.import(key, material, {}, kRsaesOaepSha1));
  EXPECT_EQ(custody(), Custody::kImported);
  ASSERT_TRUE(world_.import(key, material, {}, kRsaAesKeyWrapSha256));
  EXPECT_EQ(custody(), Custody::kHostStaged);
  must_delete(key);
  ASSERT_TRUE(world_.import(key, material, {}, kRsaesOaepSha1));
  EXPECT_EQ(custody(), Custody::kHostStaged);
}

TEST_F(ImportTest, StatesGoTogetherAsThePageSays) {
  Service& service = world_.service();
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  EXPECT_EQ(code_of(service.enable_key(*world_.newest(key))), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(code_of(service.disable_key(*world_.newest(key))), ErrorCode::kKmsInvalidState);
  must_import(key, material);
  ASSERT_TRUE(service.disable_key(*world_.newest(key)));
  must_import(key, material);
  EXPECT_EQ(state(key), KeyState::kDisabled) << "an import of what is there enables nothing";
  must_delete(key);
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  must_import(key, material);
  EXPECT_EQ(state(key), KeyState::kEnabled);

  ASSERT_TRUE(service.schedule_deletion(*world_.newest(key), 7));
  EXPECT_EQ(code_of(world_.import(key, material)), ErrorCode::kKmsInvalidState);
  must_delete(key);
  EXPECT_EQ(state(key), KeyState::kPendingDeletion);
  ASSERT_TRUE(service.cancel_deletion(*world_.newest(key)));
  EXPECT_EQ(state(key), KeyState::kPendingImport);
  must_import(key, material);
  ASSERT_TRUE(service.schedule_deletion(*world_.newest(key), 7));
  ASSERT_TRUE(service.cancel_deletion(*world_.newest(key)));
  EXPECT_EQ(state(key), KeyState::kDisabled);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, ADeletedKeyTakesItsMaterialAndItsWrappingKeysAlong) {
  const auto before = world_.object_names().size();
  const KeyPtr key = world_.create_external_key();
  must_import(key, draw_material());
  ASSERT_TRUE(world_.service().schedule_deletion(*world_.newest(key), 7));
  world_.clock.advance(7 * kDay);
  world_.service().run_due_work();
  EXPECT_EQ(world_.newest(key), nullptr);
  EXPECT_EQ(world_.object_names().size(), before);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest, AnImportTokenIsGoodForItsKeyAndADay) {
  const KeyPtr key = world_.create_external_key();
  const KeyPtr other = world_.create_external_key();
  const Bytes material = draw_material();
  const auto parameters =
      world_.service().import_parameters(*key, KeySpec::kRsa2048, kRsaesOaepSha1);
  ASSERT_TRUE(parameters) << why(parameters);
  EXPECT_EQ(parameters->valid_to, world_.clock.now() + 24h);
  ImportRequest request;
  request.import_token = parameters->import_token;
  request.encrypted_key_material =
      keyhold::test::wrap_material(parameters->public_key, kRsaesOaepSha1, material);
  const auto import = [&](const KeyPtr& into, const ImportRequest& wanted) {
    return world_.service().import_material(*world_.newest(into), wanted);
  };
  EXPECT_EQ(code_of(import(other, request)), ErrorCode::kInvalidImportToken);
  ImportRequest garbled = request;
  garbled.import_token.back() ^= 1;
  EXPECT_EQ(code_of(import(key, garbled)), ErrorCode::kInvalidImportToken);
  garbled.import_token = {1, 2, 3};
  EXPECT_EQ(code_of(import(key, garbled)), ErrorCode::kInvalidImportToken);
  world_.clock.advance(24h - 1ms);
  world_.restart();
  EXPECT_TRUE(import(key, request));
  world_.clock.advance(1ms);
  EXPECT_EQ(code_of(import(key, request)), ErrorCode::kExpiredImportToken);
  EXPECT_EQ(state(other), KeyState::kPendingImport);
}

TEST_F(ImportTest, WrappingKeysAreBoundedLentAgainAndDestroyed) {
  const KeyPtr key = world_.create_external_key();
  const auto ask = [&] {
    world_.clock.advance(1h);
    return world_.service().import_parameters(*key, KeySpec::kRsa2048, kRsaesOaepSha1);
  };
  const auto before = world_.object_names().size();
  const auto first = ask();
  const auto second = ask();
  const auto third = ask();
  ASSERT_TRUE(first && second && third);
  EXPECT_NE(first->public_key, second->public_key);
  EXPECT_EQ(third->public_key, second->public_key);
  EXPECT_NE(third->import_token, second->import_token);
  EXPECT_GT(third->valid_to, second->valid_to);
  EXPECT_EQ(world_.object_names().size(), before + 4);
  world_.clock.set(first->valid_to);
  world_.service().run_due_work();
  EXPECT_EQ(world_.object_names().size(), before + 2);
  world_.clock.set(second->valid_to);
  world_.service().run_due_work();
  EXPECT_EQ(world_.object_names().size(), before + 2) << "lent again, it lives longer";
  world_.restart();
  world_.clock.set(third->valid_to);
  world_.service().run_due_work();
  EXPECT_EQ(world_.object_names().size(), before);
  EXPECT_TRUE(world_.store().load()->wrapping_keys.empty());
}

TEST_F(ImportTest, NoMoreWrappingKeysAreMadeThanThereMayBe) {
  world_.options.wrapping_key_limit = 1;
  world_.restart();
  const KeyPtr key = world_.create_external_key();
  const auto ask = [&] {
    return world_.service().import_parameters(*key, KeySpec::kRsa2048, kRsaesOaepSha1);
  };
  ASSERT_TRUE(ask());
  EXPECT_EQ(code_of(ask()), ErrorCode::kThrottling);
  world_.clock.advance(24h);
  world_.service().run_due_work();
  EXPECT_TRUE(ask());
}

TEST_F(ImportTest, RequestsThatCannotBeAreRefused) {
  const KeyPtr key = world_.create_external_key();
  const KeyPtr hmac = world_.create_external_key({KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac});
  const auto expect = [&](const KeyPtr& of, const ImportRequest& request, ErrorCode code) {
    const auto checked =
        check_import_request(*of, request, RotationRules::k2025, world_.clock.now());
    EXPECT_EQ(code_of(checked), code);
  };
  ImportRequest request;
  request.valid_to = world_.clock.now();
  expect(key, request, ErrorCode::kValidation);
  request.valid_to = world_.clock.now() + 365 * kDay + 1ms;
  expect(key, request, ErrorCode::kValidation);
  request.valid_to = world_.clock.now() + 365 * kDay;
  EXPECT_TRUE(check_import_request(*key, request, RotationRules::k2025, world_.clock.now()));
  request = {};
  request.type = ImportType::kExisting;
  expect(hmac, request, ErrorCode::kValidation);
  request = {};
  request.description = "x";
  expect(hmac, request, ErrorCode::kValidation);
  request = {};
  request.material_id = std::string(64, 'a');
  expect(hmac, request, ErrorCode::kValidation);
  request.type = ImportType::kNew;
  expect(key, request, ErrorCode::kValidation);
  EXPECT_EQ(code_of(world_.service().import_parameters(
                *world_.create_external_key({KeySpec::kRsa2048, KeyUsage::kSignVerify}),
                KeySpec::kRsa4096, kRsaesOaepSha1)),
            ErrorCode::kUnsupportedOperation);
}

TEST_F(ImportTest, AKeyIdThatIsNotTheMaterialsIsIncorrect) {
  const KeyPtr key = world_.create_external_key();
  const Bytes material = draw_material();
  const std::string id = must_import(key, material);
  ImportRequest request;
  request.material_id = std::string(64, 'a');
  EXPECT_EQ(code_of(world_.import(key, material, request)), ErrorCode::kIncorrectKeyMaterial);
  request.material_id = id;
  EXPECT_TRUE(world_.import(key, material, request));
  request.type = ImportType::kExisting;
  EXPECT_TRUE(world_.import(key, material, request));
}

// --- The rules of 2024 ---

TEST_F(ImportTest, ByTheRulesOf2024ThereIsOneMaterialAndNoRotation) {
  const KeyPtr key = world_.create_external_key();
  Service& service = world_.service();
  const std::string refused =
      key->arn() + " origin is EXTERNAL which is not valid for this operation.";
  const auto expect_refused = [&](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kUnsupportedOperation);
    EXPECT_EQ(result.error().message(), refused);
  };
  expect_refused(service.rotate_on_demand(*key));
  must_import(key, draw_material());
  expect_refused(service.rotate_on_demand(*world_.newest(key)));
  expect_refused(service.enable_rotation(*world_.newest(key), 90));
  expect_refused(service.disable_rotation(*world_.newest(key)));
  expect_refused(service.rotation_status(*world_.newest(key)));
  ImportRequest request;
  request.type = ImportType::kNew;
  EXPECT_EQ(code_of(world_.import(key, draw_material(), request)),
            ErrorCode::kUnsupportedOperation);
}

// --- The rules of 2025 ---

class ImportTest2025 : public ImportTest {
 protected:
  void SetUp() override {
    world_.options.rotation_rules = RotationRules::k2025;
    ImportTest::SetUp();
    key_ = world_.create_external_key();
    first_ = must_import(key_, one_);
  }

  ImportRequest as_new() {
    ImportRequest request;
    request.type = ImportType::kNew;
    return request;
  }

  const Bytes one_ = draw_material();
  const Bytes two_ = draw_material();
  KeyPtr key_;
  std::string first_;
};

TEST_F(ImportTest2025, AFurtherMaterialWaitsForARotationOnDemand) {
  const Bytes old_blob = world_.encrypt(key_, "old");
  const auto rotate = [&] { return world_.service().rotate_on_demand(*world_.newest(key_)); };
  const auto nothing = rotate();
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(nothing.error().message(),
            "No available key material pending rotation for the key: " + key_->arn() + ".");

  const std::string second = must_import(key_, two_, as_new());
  EXPECT_EQ(world_.newest(key_)->current_material().record.material_id, first_);
  EXPECT_EQ(world_.newest(key_)->pending_material()->record.material_id, second);
  EXPECT_EQ(state(key_), KeyState::kEnabled);
  EXPECT_EQ(world_.expect_whole(), 0U);

  const Bytes three = draw_material();
  const auto another = world_.import(key_, three, as_new());
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code(), ErrorCode::kKmsInvalidState);
  EXPECT_NE(another.error().message().find("because another key material (id: " + second +
                                           ") is pending rotation."),
            std::string::npos);

  ASSERT_TRUE(rotate());
  EXPECT_EQ(world_.newest(key_)->current_material().record.material_id, second);
  EXPECT_EQ(world_.newest(key_)->record().on_demand_rotations, 1);
  ASSERT_EQ(world_.events.rotations().size(), 1U);
  EXPECT_EQ(world_.events.rotations().front().origin, KeyOrigin::kExternal);
  EXPECT_EQ(world_.events.rotations().front().previous_material_id, first_);
  EXPECT_EQ(world_.events.rotations().front().current_material_id, second);
  world_.restart();
  EXPECT_EQ(world_.decrypt(old_blob)->plaintext.text(), "old");
  EXPECT_EQ(world_.decrypt(world_.encrypt(key_, "new"))->material_id, second);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest2025, NewAndExistingAreToldApart) {
  ImportRequest request = as_new();
  EXPECT_EQ(code_of(world_.import(key_, one_, request)), ErrorCode::kIncorrectKeyMaterial);
  request.type = ImportType::kExisting;
  EXPECT_EQ(code_of(world_.import(key_, two_, request)), ErrorCode::kIncorrectKeyMaterial);
  EXPECT_EQ(code_of(world_.import(key_, two_)), ErrorCode::kIncorrectKeyMaterial);
  const KeyPtr fresh = world_.create_external_key();
  EXPECT_EQ(code_of(world_.import(fresh, one_, request)), ErrorCode::kIncorrectKeyMaterial);
}

TEST_F(ImportTest2025, PendingMaterialThatGoesIsForgottenAndHurtsNobody) {
  const std::string second = must_import(key_, two_, as_new());
  must_delete(key_, second);
  EXPECT_EQ(state(key_), KeyState::kEnabled);
  EXPECT_EQ(world_.newest(key_)->pending_material(), nullptr);
  EXPECT_EQ(world_.newest(key_)->materials().size(), 1U);
  ImportRequest request = as_new();
  request.valid_to = world_.clock.now() + 1h;
  must_import(key_, two_, request);
  world_.clock.advance(1h);
  world_.service().run_due_work();
  EXPECT_EQ(state(key_), KeyState::kEnabled);
  EXPECT_EQ(world_.newest(key_)->pending_material(), nullptr);
  EXPECT_EQ(world_.events.expiries().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest2025, TheKeyWorksOnlyWhileAllOfItsMaterialIsThere) {
  const Bytes old_blob = world_.encrypt(key_, "old");
  const std::string second = must_import(key_, two_, as_new());
  ASSERT_TRUE(world_.service().rotate_on_demand(*world_.newest(key_)));
  must_delete(key_, first_);
  EXPECT_EQ(state(key_), KeyState::kPendingImport);
  EXPECT_TRUE(in_token(key_, second));
  must_delete(key_);
  EXPECT_FALSE(in_token(key_, second));
  must_import(key_, two_);
  EXPECT_EQ(state(key_), KeyState::kPendingImport);
  must_import(key_, one_);
  EXPECT_EQ(state(key_), KeyState::kEnabled);
  EXPECT_EQ(world_.newest(key_)->current_material().record.material_id, second);
  EXPECT_TRUE(world_.decrypt(old_blob));
  EXPECT_EQ(code_of(world_.service().delete_imported_material(*key_, std::string(64, 'a'))),
            ErrorCode::kNotFound);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ImportTest2025, AKeyWithoutItsMaterialIsNotRotated) {
  must_delete(key_);
  const auto rotated = world_.service().rotate_on_demand(*world_.newest(key_));
  ASSERT_FALSE(rotated);
  EXPECT_EQ(rotated.error().message(), key_->arn() + " is pending import.");
}

TEST_F(ImportTest2025, GetKeyRotationStatusAnswers) {
  const auto status = world_.service().rotation_status(*world_.newest(key_));
  ASSERT_TRUE(status) << why(status);
  EXPECT_FALSE(status->enabled);
}

// --- Faults ---

// Whatever call fails: the old state or the new one, and the next attempt succeeds.
TEST_F(ImportTest2025, AFaultAtAnyCallLeavesTheOldStateOrTheNew) {
  const std::vector<std::pair<std::string, std::function<void()>>> operations = {
      {"import", [&] { static_cast<void>(world_.import(key_, two_, as_new())); }},
      {"delete",
       [&] {
         static_cast<void>(world_.service().delete_imported_material(*world_.newest(key_), {}));
       }},
      {"import again", [&] { static_cast<void>(world_.import(key_, one_)); }},
      {"rotate",
       [&] { static_cast<void>(world_.service().rotate_on_demand(*world_.newest(key_))); }},
  };
  for (const auto& operation : operations) {
    for (int failing = 1; failing < 100; ++failing) {
      SCOPED_TRACE(operation.first + ", call " + std::to_string(failing));
      int calls = 0;
      for (Hook* hook : {&world_.store_hook, &world_.token_hook}) {
        hook->before = [&](std::string_view) -> Result<void> {
          if (++calls != failing) return {};
          return Error(ErrorCode::kKmsInternal, {}, "a fault of the test's");
        };
      }
      operation.second();
      for (Hook* hook : {&world_.store_hook, &world_.token_hook}) hook->before = nullptr;
      world_.service().run_due_work();
      EXPECT_EQ(world_.expect_whole(), 0U);
      if (HasFailure()) return;
      if (calls < failing) break;  // it went through undisturbed
    }
  }
  EXPECT_EQ(state(key_), KeyState::kEnabled);
  EXPECT_EQ(world_.newest(key_)->materials().size(), 2U);
  EXPECT_EQ(world_.newest(key_)->record().on_demand_rotations, 1);
}

}  // namespace
}  // namespace keyhold::kms
