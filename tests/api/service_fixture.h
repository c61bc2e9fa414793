// The whole of the service but HTTP: the dispatcher over the domain, SQLite and a SoftHSM token on
// tmpfs, with a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/grants.h"
#include "api/operation.h"
#include "api_client.h"
#include "base/clock.h"
#include "base/random.h"
#include "kms/service.h"
#include "store/sqlite_store.h"
#include "token/pkcs11_token.h"

namespace keyhold::api::test {

/// Takes every event.
class QuietEvents final : public kms::EventSink {
 public:
  Result<void> key_rotated(const kms::RotationEvent&) override { return {}; }
  Result<void> key_deleted(const kms::DeletionEvent&) override { return {}; }
  Result<void> wrapping_key_rotated(const kms::WrappingKeyRotationEvent&) override { return {}; }
  Result<void> material_expired(const kms::MaterialExpiryEvent&) override { return {}; }
};

/// One token and one store for all tests of a suite; each test makes its own keys, and takes an
/// account of its own where it lists things.
class ServiceTest : public ::testing::Test {
 protected:
  static constexpr int kAliasLimit = 3;

  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static kms::Service& service() { return *world().service; }
  static ManualClock& clock() { return world().clock; }

  /// Calls as the usual account.
  static Reply call(std::string_view operation, std::string body = "{}") {
    return Client(service()).call(operation, std::move(body));
  }
  /// The same, which must succeed.
  static Reply succeed(std::string_view operation, std::string body = "{}") {
    Reply reply = call(operation, std::move(body));
    EXPECT_EQ(reply.status, 200) << operation << ": " << reply.body;
    return reply;
  }

  /// Makes a key and answers its id.
  static std::string new_key() { return succeed("CreateKey").text("KeyMetadata.KeyId"); }
  static std::string arn(const std::string& key_id) {
    return "arn:aws:kms:eu-central-1:111122223333:key/" + key_id;
  }
  /// A request whose KeyId is the key; `more` are further members.
  static std::string with_key(const std::string& key_id, const std::string& more = {}) {
    return R"({"KeyId":")" + key_id + "\"" + (more.empty() ? "" : "," + more) + "}";
  }
  /// Encrypts and answers the ciphertext in base64.
  static std::string encrypted(const std::string& key_id, const std::string& more = {}) {
    const std::string plaintext = R"("Plaintext":"YXR0YWNrIGF0IGRhd24=")";
    return succeed("Encrypt", with_key(key_id, plaintext + (more.empty() ? "" : "," + more)))
        .text("CiphertextBlob");
  }
  static std::string with_ciphertext(const std::string& blob, const std::string& more = {}) {
    return R"({"CiphertextBlob":")" + blob + "\"" + (more.empty() ? "" : "," + more) + "}";
  }
  /// Makes a key of the kind that the operation works on.
  static std::string new_key_for(const Operation& operation);
  /// A request of the operation that is in order, on that key, which is of the kind and Enabled.
  /// Aliases are `alias/of-<key>` where one is made, `alias/on-<key>` where there must be one. The
  /// grant is `grant_id`, where one is needed.
  static std::string sample_body(const Operation& operation, const std::string& key_id,
                                 const std::string& grant_id = std::string(64, 'a'));
  /// Makes a grant and answers its id. `more`: further members.
  static std::string new_grant(const std::string& key_id, std::string_view grantee,
                               std::string_view operations, const std::string& more = {});
  static void put_in_state(const std::string& key_id, KeyState state);

 private:
  struct World {
    std::filesystem::path folder;
    ManualClock clock{TimePoint(milliseconds(1'767'225'600'123))};
    SystemRandom random;
    QuietEvents events;
    std::unique_ptr<token::Pkcs11Token> token;
    std::unique_ptr<store::SqliteStore> store;
    std::unique_ptr<kms::Service> service;
  };
  static World& world() { return *world_; }
  static inline std::unique_ptr<World> world_;
};

}  // namespace keyhold::api::test
