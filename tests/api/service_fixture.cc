#include "service_fixture.h"

#include <stdlib.h>

#include <map>
#include <stdexcept>

#include "tests/support/places.h"
#include "token/profile.h"
#include "token/softhsm.h"

namespace keyhold::api::test {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message() + " " + result.error().detail());
  return std::move(*result);
}

/// What the deployment seals its own secrets with.
Result<token::Material> make_service_key(token::Token& token, Random& random) {
  token::Material key;
  key.object_name = ObjectName::draw(random);
  TRY_ASSIGN(const auto made, token.generate_material(key.object_name, "service key", {}));
  key.construction = made.construction;
  key.check_value = made.check_value;
  append(key.subject, as_bytes("service key"));
  return key;
}

}  // namespace

void ServiceTest::SetUpTestSuite() {
  world_ = std::make_unique<World>();
  std::string name = "/dev/shm/keyhold-api-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder on /dev/shm");
  world_->folder = name;

  constexpr std::string_view kPin = "test-pin-1234";
  const auto overrides =
      must(token::prepare_softhsm({name + "/token", "/usr/lib/softhsm/libsofthsm2.so", "keyhold",
                                   Secret(std::string_view("so-pin-1234")), Secret(kPin)}));
  const auto profile = must(token::read_profile(
      keyhold::test::source_folder() + "/hsm-config/softhsm-2.6.toml", overrides));
  world_->token =
      must(token::Pkcs11Token::open(profile, Secret(kPin), world_->clock, world_->random));
  world_->store = must(store::SqliteStore::open(name + "/store.db"));
  kms::ServiceOptions options;
  options.alias_limit = kAliasLimit;
  options.service_key = must(make_service_key(*world_->token, world_->random));
  options.own_objects = {options.service_key->object_name};
  world_->service = must(kms::Service::start(*world_->store, *world_->token, world_->clock,
                                             world_->random, world_->events, options));
}

void ServiceTest::TearDownTestSuite() {
  const std::filesystem::path folder = world_->folder;
  world_->service.reset();
  world_->store.reset();
  world_->token.reset();
  world_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

namespace {

/// What an operation needs of a key, where that is not the usual one, and of its request.
struct Needs {
  std::string spec = "SYMMETRIC_DEFAULT";
  std::string usage = "ENCRYPT_DECRYPT";
  std::string members;
};

Needs needs_of(const Operation& operation) {
  static const std::map<std::string_view, Needs> kNeeds = {
      {"Sign",
       {"ECC_NIST_P256", "SIGN_VERIFY", R"("Message":"AAAA","SigningAlgorithm":"ECDSA_SHA_256")"}},
      {"Verify",
       {"ECC_NIST_P256", "SIGN_VERIFY", R"("Message":"AAAA","SigningAlgorithm":"ECDSA_SHA_256")"}},
      {"GenerateMac",
       {"HMAC_256", "GENERATE_VERIFY_MAC", R"("Message":"AAAA","MacAlgorithm":"HMAC_SHA_256")"}},
      {"VerifyMac",
       {"HMAC_256", "GENERATE_VERIFY_MAC", R"("Message":"AAAA","MacAlgorithm":"HMAC_SHA_256")"}},
      {"DeriveSharedSecret",
       {"ECC_NIST_P256", "KEY_AGREEMENT", R"("KeyAgreementAlgorithm":"ECDH")"}},
      {"GetPublicKey", {"ECC_NIST_P256", "SIGN_VERIFY", {}}},
      {"GenerateDataKey", {.members = R"("KeySpec":"AES_256")"}},
      {"GenerateDataKeyWithoutPlaintext", {.members = R"("KeySpec":"AES_256")"}},
      {"GenerateDataKeyPair", {.members = R"("KeyPairSpec":"ECC_NIST_P256")"}},
      {"GenerateDataKeyPairWithoutPlaintext", {.members = R"("KeyPairSpec":"ECC_NIST_P256")"}},
      {"GetParametersForImport",
       {.members = R"("WrappingAlgorithm":"RSAES_OAEP_SHA_1","WrappingKeySpec":"RSA_2048")"}},
      {"ImportKeyMaterial",
       {.members = R"("ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA",)"
                   R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE")"}},
      {"Encrypt", {.members = R"("Plaintext":"AAAA")"}},
      {"UpdateKeyDescription", {.members = R"("Description":"d")"}},
      {"TagResource", {.members = R"("Tags":[])"}},
      {"UntagResource", {.members = R"("TagKeys":[])"}},
  };
  const auto at = kNeeds.find(operation.name);
  return at == kNeeds.end() ? Needs{} : at->second;
}

}  // namespace

std::string ServiceTest::new_key_for(const Operation& operation) {
  const Needs needs = needs_of(operation);
  return succeed("CreateKey",
                 R"({"KeySpec":")" + needs.spec + R"(","KeyUsage":")" + needs.usage + "\"}")
      .text("KeyMetadata.KeyId");
}

std::string ServiceTest::sample_body(const Operation& operation, const std::string& key_id,
                                     const std::string& grant_id) {
  const auto name = operation.name;
  if (operation.keys.size() == 0) {
    if (name == "GenerateRandom") return R"({"NumberOfBytes":1})";
    if (name == "ListRetirableGrants") {
      return R"({"RetiringPrincipal":"arn:aws:iam::111122223333:user/test"})";
    }
    return "{}";
  }
  if (name == "Decrypt") return with_ciphertext(encrypted(key_id));
  if (name == "ReEncrypt") {
    return with_ciphertext(encrypted(key_id), R"("DestinationKeyId":")" + key_id + "\"");
  }
  if (name == "CreateAlias") {
    return R"({"AliasName":"alias/of-)" + key_id + R"(","TargetKeyId":")" + key_id + "\"}";
  }
  if (name == "UpdateAlias" || name == "DeleteAlias") {
    return R"({"AliasName":"alias/on-)" + key_id + R"(","TargetKeyId":")" + key_id + "\"}";
  }
  std::string more = needs_of(operation).members;
  if (name == "Verify") {
    const Reply made = succeed("Sign", with_key(key_id, more));
    more += R"(,"Signature":")" + made.text("Signature") + "\"";
  }
  if (name == "VerifyMac") {
    const Reply made = succeed("GenerateMac", with_key(key_id, more));
    more += R"(,"Mac":")" + made.text("Mac") + "\"";
  }
  if (name == "DeriveSharedSecret") {
    const Reply shown = succeed("GetPublicKey", with_key(key_id));
    more += R"(,"PublicKey":")" + shown.text("PublicKey") + "\"";
  }
  if (name == "PutKeyPolicy") {
    more = R"("Policy":)" + json_string(kms::default_policy_text(kAccount));
  }
  if (name == "CreateGrant") {
    more =
        R"("GranteePrincipal":"arn:aws:iam::111122223333:user/test","Operations":["DescribeKey"])";
  }
  if (name == "RetireGrant" || name == "RevokeGrant") more = R"("GrantId":")" + grant_id + "\"";
  return with_key(key_id, more);
}

std::string ServiceTest::new_grant(const std::string& key_id, std::string_view grantee,
                                   std::string_view operations, const std::string& more) {
  std::string members = R"("GranteePrincipal":")" + std::string(grantee) + R"(","Operations":[)" +
                        std::string(operations) + "]";
  if (!more.empty()) members += "," + more;
  return succeed("CreateGrant", with_key(key_id, members)).text("GrantId");
}

void ServiceTest::put_in_state(const std::string& key_id, KeyState state) {
  if (state == KeyState::kDisabled) succeed("DisableKey", with_key(key_id));
  if (state == KeyState::kPendingDeletion) succeed("ScheduleKeyDeletion", with_key(key_id));
}

}  // namespace keyhold::api::test
