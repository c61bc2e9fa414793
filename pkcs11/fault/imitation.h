// What other tokens do, done before a module that does not: for tests of whatever heeds it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace keyhold::pkcs11::fault {

/// Each function is called before the call of its name, may change its arguments, and answers what
/// is to be answered instead of it, if anything. `what`: a Decision's imitation; empty: none.
/// Safe for several threads.
class Imitator {
 public:
  using Refusal = std::optional<CK_RV>;

  Refusal initialize(std::string_view what, const void* args);
  Refusal open_session(std::string_view what);
  Refusal login(std::string_view what, CK_BYTE*& pin, CK_ULONG& size);
  /// `kept` holds what `attributes` then point to.
  static Refusal generate_key(std::string_view what, CK_ATTRIBUTE*& attributes, CK_ULONG count,
                              std::vector<CK_ATTRIBUTE>& kept);

  /// A mechanism whose parameters are not the caller's.
  struct OwnMechanism {
    CK_MECHANISM mechanism{};
    CK_GCM_PARAMS parameters{};
    std::array<std::uint8_t, 16> iv{};
  };
  /// Changes the mechanism in `kept` to the one that the module behind knows.
  static Refusal key_wrap(std::string_view what, CK_MECHANISM*& mechanism, CK_MECHANISM& kept);
  static Refusal unwrap_key(std::string_view what, CK_ATTRIBUTE*& attributes, CK_ULONG count,
                            std::vector<CK_ATTRIBUTE>& kept);
  Refusal encrypt_init(std::string_view what, CK_SESSION_HANDLE session, CK_MECHANISM*& mechanism,
                       OwnMechanism& kept);

  // After calls that were made.
  /// `rv`, or what is answered in its place.
  static CK_RV refused(std::string_view what, CK_RV rv);
  void opened(CK_SESSION_HANDLE session);
  void closed(CK_SESSION_HANDLE session);
  void closed_all();
  /// `room` is what `size` was before the call.
  CK_RV encrypted(CK_SESSION_HANDLE session, CK_BYTE* out, CK_ULONG* size, CK_ULONG room, CK_RV rv);

 private:
  using Iv = std::array<std::uint8_t, 16>;

  std::mutex mutex_;
  std::set<CK_SESSION_HANDLE> open_;
  std::optional<std::chrono::steady_clock::time_point> last_open_;
  std::map<CK_SESSION_HANDLE, Iv> behind_;  // IVs that are still to be handed over
};

}  // namespace keyhold::pkcs11::fault
