// SoftHSM tokens of a test's own, on tmpfs, and OpenSSL's word on what a token computes.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "pkcs11/object.h"
#include "pkcs11/session.h"
#include "pkcs11/slot.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "token/construction.h"
#include "token/pkcs11_token.h"
#include "token/profile.h"

namespace keyhold::token::test {

using keyhold::test::kSoftHsm;
using keyhold::test::TemporaryFolder;
inline constexpr const char* kPin = "test-pin-1234";

template <typename T>
std::string why(const Result<T>& result) {
  return result ? "success" : result.error().message() + " | " + result.error().detail();
}

/// A SoftHSM token, its profile as it is shipped, and a clock that stands.
class TokenTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// The module the token is reached through; SoftHSM itself unless a subclass says otherwise.
  virtual std::string module_path() const { return kSoftHsm; }

  Profile profile(std::vector<std::string> overrides = {}) const;
  /// Opens token_, which must come to pass.
  void open(std::vector<std::string> overrides = {});
  void close() { token_.reset(); }

  ObjectName draw_name() { return ObjectName::draw(random_); }
  /// A generated material, as the store would know it; held as custody_ says.
  Material generate(std::string_view subject = "subject", MaterialKind kind = {});
  /// A custody key of the token's own; the same one each time.
  const CustodyKey& custody_key();

  std::filesystem::path tokens() const { return folder_.path() / "tokens"; }
  /// The folder of the one token in there.
  std::filesystem::path token_folder() const;

  Custody custody_ = Custody::kResident;
  std::optional<CustodyKey> custody_key_;
  TemporaryFolder folder_;
  std::vector<std::string> overrides_;
  ManualClock clock_{TimePoint(std::chrono::hours(500'000))};
  SystemRandom random_;
  std::unique_ptr<Pkcs11Token> token_;
};

/// Another user of the same module in this process, past Keyhold. Goes before the module must be
/// initialised again, since p11-kit counts users.
class Intruder {
 public:
  explicit Intruder(const std::string& module_path = kSoftHsm);
  ~Intruder();

  pkcs11::Session& session() { return *session_; }
  /// A token object that is a usable key material of a known value.
  void plant_key(const ObjectName& name, ByteView value, const Profile& profile,
                 Derivation derivation = Derivation::kEcb);
  void plant(const pkcs11::Attributes& attributes);
  std::vector<pkcs11::ObjectHandle> find(const pkcs11::Attributes& matching);

 private:
  std::unique_ptr<pkcs11::Module> module_;
  std::unique_ptr<pkcs11::Session> session_;
};

// OpenSSL's answers.
Bytes aes_ecb(ByteView key, ByteView blocks);
Bytes aes_cmac(ByteView key, ByteView message);
Bytes aes_gcm(ByteView key, ByteView iv, ByteView aad, ByteView plaintext);

}  // namespace keyhold::token::test
