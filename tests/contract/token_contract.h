// What every Token does, whatever token is behind it. A case goes over everything that it is about,
// and at each asks the table of what is known (known_token.h): what the token can do has to be
// done, and what it lacks to be refused in a sentence that says so.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "known_token.h"
#include "token/pkcs11_token.h"
#include "token/public_key.h"

namespace keyhold::token::contract {

template <typename T>
std::string why(const Result<T>& result) {
  return result ? "success" : result.error().message() + " | " + result.error().detail();
}

/// What lacks, by a sentence of kUnsupportedOperation.
std::string lack_in(const Error& error);

/// Compares what came of something with what is known. True if it was done, and ought to be.
template <typename T>
bool as_known(const Result<T>& result, const std::string& lack) {
  if (lack.empty()) {
    EXPECT_TRUE(result) << why(result);
    return result.has_value();
  }
  EXPECT_FALSE(result) << "it was done, although it is known of the token: " << lack;
  if (result) return false;
  EXPECT_EQ(result.error().code(), ErrorCode::kUnsupportedOperation) << why(result);
  const std::string said = lack_in(result.error());
  // The table has the token's own words behind it, in brackets.
  EXPECT_TRUE(lack == said || (!said.empty() && lack.starts_with(said + " (")))
      << "refused because " << said << ", known is " << lack;
  return false;
}

/// One token for all cases of the process. Each case leaves in it what it found there.
///
/// A token that lacks what no service goes without cannot be opened. There every case is refused
/// alike, which is what is compared with the table then.
class TokenContract : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  static const KnownToken& known() { return KnownToken::of_process(); }
  static Token& token() { return *token_; }
  /// As a process does that starts anew.
  static void close() { token_.reset(); }
  static void open();
  static Result<std::unique_ptr<Pkcs11Token>> try_open(AdmissionRule rule);

  /// Each name is destroyed in the end.
  ObjectName draw_name();
  /// A new material as the store would know it; nothing where the token lacks something, and is
  /// known to.
  std::optional<Material> generate(MaterialKind kind);
  static Material stored(const ObjectName& name, MaterialKind kind, const GeneratedMaterial& made);

  /// Every kind of key; RSA keys of 3072 and 4096 bits, which take seconds, for one usage each.
  static std::vector<MaterialKind> kinds();
  static std::string name_of(MaterialKind kind);
  std::size_t count_objects() const;

  static SystemRandom random_;

 private:
  static std::unique_ptr<Pkcs11Token> token_;
  static std::optional<Error> refusal_;  ///< of one that cannot be used
  static ManualClock clock_;
  std::vector<ObjectName> names_;
  std::size_t objects_before_ = 0;
};

inline const Bytes kMessage = {'m', 'e', 's', 's', 'a', 'g', 'e'};
inline const Message kRaw{MessageType::kRaw, kMessage};

}  // namespace keyhold::token::contract
