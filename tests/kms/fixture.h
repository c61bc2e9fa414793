// A whole domain over real parts: SoftHSM and SQLite in a folder on tmpfs, and a clock that the
// test moves.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "kms/service.h"
#include "store/sqlite_store.h"
#include "tests/kms/hooks.h"
#include "tests/kms/keys.h"
#include "tests/support/places.h"
#include "token/pkcs11_token.h"

namespace keyhold::kms::testing {

using keyhold::test::kSoftHsm;
inline constexpr std::string_view kPin = "user-pin-4711";

/// Keeps the events it is told, in order.
class Events final : public EventSink {
 public:
  Result<void> key_rotated(const RotationEvent& event) override;
  Result<void> key_deleted(const DeletionEvent& event) override;
  Result<void> material_expired(const MaterialExpiryEvent& event) override;
  Result<void> wrapping_key_rotated(const WrappingKeyRotationEvent& event) override;

  /// Answers each telling; success unless a test says otherwise.
  void on_tell(std::function<Result<void>()> answer);
  std::vector<RotationEvent> rotations() const;
  std::vector<DeletionEvent> deletions() const;
  std::vector<MaterialExpiryEvent> expiries() const;
  std::vector<WrappingKeyRotationEvent> wrapping_key_rotations() const;

 private:
  mutable std::mutex mutex_;
  std::function<Result<void>()> answer_;
  std::vector<RotationEvent> rotations_;
  std::vector<DeletionEvent> deletions_;
  std::vector<MaterialExpiryEvent> expiries_;
  std::vector<WrappingKeyRotationEvent> wrapping_key_rotations_;
};

/// The why of a failed result, for a test's message.
template <typename T>
std::string why(const Result<T>& result) {
  if (result) return "success";
  return std::string(error_row(result.error().code()).wire_name) + ": " + result.error().message() +
         " | " + result.error().detail();
}

/// The code of a result that must have failed.
template <typename T>
ErrorCode code_of(const Result<T>& result) {
  if (!result) return result.error().code();
  ADD_FAILURE() << "it succeeded";
  return ErrorCode::kUnknownOperation;
}

/// Everything in one folder, opened and closed as a process would. At most one is open in a process
/// at a time, since a module belongs to one token.
class World {
 public:
  /// `folder`: an existing one, kept; otherwise the world makes one and removes it.
  explicit World(std::string folder = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Opens token, store and service. Says what failed.
  Result<void> try_open();
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << why(opened);
  }
  /// Ends the service, then what it used.
  void close();
  void restart() {
    close();
    open();
  }

  Service& service() { return *service_; }
  store::Store& store() { return *store_; }
  token::Pkcs11Token& token() { return *token_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// The folder in which SoftHSM keeps the objects of its one token.
  std::filesystem::path token_folder() const;

  // What to open with; changes take effect at the next open().
  ServiceOptions options;
  std::string module = kSoftHsm;
  Custody custody = Custody::kResident;  ///< of new symmetric and HMAC material
  std::vector<std::string> profile_overrides;
  std::string pin{kPin};

  ManualClock clock{kStart};
  SystemRandom random;
  Events events;
  Hook store_hook;
  Hook token_hook;

  // Shorthands for the one account and region of most tests.
  const Scope scope{std::string(kAccount), std::string(kRegion)};
  /// Throws where there is no key, without which no test can go on.
  KeyPtr create_key(std::string description = {}, token::MaterialKind kind = {});
  /// The newest state of a key; null if it is gone.
  KeyPtr newest(const KeyPtr& key) { return service().inspect_key(key->id()); }
  Bytes encrypt(const KeyPtr& key, std::string_view plaintext);
  /// Decrypts as the API does: the key is the one that the blob names.
  Result<Decrypted> decrypt(ByteView blob);
  /// Opens the service again with the material of a key as the service key, without which no key
  /// material can be imported.
  void allow_imports();
  KeyPtr create_external_key(token::MaterialKind kind = {});
  Result<ImportParameters> import_parameters(
      const KeyPtr& key, WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaesOaepSha1);
  /// Imports the material under that wrapping key. `request`: what else to ask for.
  Result<std::string> import(const KeyPtr& key, const ImportParameters& parameters,
                             ByteView material, ImportRequest request = {},
                             WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaesOaepSha1);
  /// Both.
  Result<std::string> import(const KeyPtr& key, ByteView material, ImportRequest request = {},
                             WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaesOaepSha1);
  ReconcileReport reconcile();
  /// Names of all objects in the token but those of custody keys.
  std::vector<std::string> object_names();

  /// Store, token and service agree, and nothing is half done: every row is whole, every material
  /// has its objects and every key works, nothing waits to be finished, and whatever else is in
  /// the token is reported. Answers the number of such strangers.
  std::size_t expect_whole();

 private:
  /// The key does what it is for. Of the keys that encrypt, symmetric ones alone.
  void expect_usable(const Key& key);

  std::filesystem::path folder_;
  bool owned_;
  SystemClock system_clock_;
  std::unique_ptr<token::Pkcs11Token> token_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<HookedToken> hooked_token_;
  std::unique_ptr<HookedStore> hooked_store_;
  std::unique_ptr<Service> service_;
};

}  // namespace keyhold::kms::testing
