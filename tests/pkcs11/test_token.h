// Tokens to test with: real ones, made anew in a private folder on tmpfs for each test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "pkcs11/module.h"
#include "pkcs11/object.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/slot.h"

namespace keyhold::pkcs11 {

inline constexpr const char* kNssPath = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so";
inline constexpr std::string_view kSoPin = "so-pin-5678";
inline constexpr std::string_view kUserPin = "user-pin-1234";

/// A new folder of this test alone, readable by nobody else. All of them are removed in the end,
/// those of child processes included.
std::filesystem::path make_test_folder();

enum class TokenKind { kSoftHsm, kSoftHsmBehindFaults, kNss };
std::string name_of(TokenKind kind);

/// A module with one token in it, ready for login; finalised and removed when destroyed.
class TestToken {
 public:
  /// Null where the machine lacks what the kind needs.
  static std::unique_ptr<TestToken> make(TokenKind kind);
  ~TestToken();

  Module& module() { return *module_; }
  SlotId slot() const { return slot_; }
  TokenKind kind() const { return kind_; }

  PoolOptions pool_options() const;
  std::unique_ptr<SessionPool> pool() const {
    return std::make_unique<SessionPool>(*module_, slot_, pool_options());
  }
  /// A session of its own, logged in.
  Session session();

 private:
  TestToken() = default;
  TokenKind kind_ = TokenKind::kSoftHsm;
  std::filesystem::path folder_;
  std::unique_ptr<Module> module_;
  SlotId slot_ = 0;
};

/// SoftHSM's configuration for a folder, in effect for the next C_Initialize of this process.
void configure_softhsm(const std::filesystem::path& folder);

/// The script and the trace of the fault module, which reads their places once per process.
class Faults {
 public:
  Faults();
  ~Faults();
  void script(const std::string& text) const;
  void no_script() const;
  void clear_trace() const;
  std::string trace() const;
  /// How many calls of that function are in the trace.
  std::size_t calls(std::string_view function) const;
};

/// An AES-256 key for everything that does not need a key of known value; a session object.
Attributes aes_key_attributes();
Attributes aes_token_key_attributes(std::string_view id);
/// A key of known value.
Result<ObjectHandle> import_aes(Session& session, ByteView value);

Bytes hex(std::string_view text);
inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline Bytes copy(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

/// The value of a result that the test cannot go on without.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().text();
    throw std::runtime_error(result.error().text());
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// The return value of a result: CKR_OK for a success.
template <typename T>
CK_RV rv_of(const Result<T>& result) {
  return result ? CK_RV{CKR_OK} : result.error().rv();
}

}  // namespace keyhold::pkcs11
