// Slots, the tokens in them, and making a token ready for use.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkcs11/module.h"
#include "pkcs11/secret.h"
#include "pkcs11/uri.h"

namespace keyhold::pkcs11 {

/// CK_TOKEN_INFO, its padding removed. Slot numbers change (SoftHSM renumbers when a token is
/// initialised): a token is known by label and serial.
struct TokenInfo {
  SlotId slot;
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  CK_FLAGS flags;
  /// Nothing where the token says "infinite" or does not say. Tokens are known to overstate it.
  std::optional<CK_ULONG> max_sessions;
  CK_ULONG min_pin_length;
  CK_ULONG max_pin_length;
  CK_VERSION hardware_version;
  CK_VERSION firmware_version;

  bool initialized() const { return (flags & CKF_TOKEN_INITIALIZED) != 0; }
  bool user_pin_set() const { return (flags & CKF_USER_PIN_INITIALIZED) != 0; }
};

enum class SlotFilter { kAll, kWithToken };

Result<std::vector<SlotId>> list_slots(const Module& module, SlotFilter filter);
Result<TokenInfo> token_info(const Module& module, SlotId slot);

/// The tokens of a module, and the slots whose token did not answer.
struct TokenList {
  std::vector<TokenInfo> tokens;
  std::vector<std::pair<SlotId, Error>> unreadable;
};
Result<TokenList> list_tokens(const Module& module);

/// Which token is meant: everything given must be equal.
struct TokenSelector {
  std::optional<std::string> label = {};
  std::optional<std::string> serial = {};
  std::optional<std::string> manufacturer = {};
  std::optional<std::string> model = {};

  static TokenSelector from(const TokenUri& uri);
};

/// The one initialised token that matches. CKR_TOKEN_NOT_PRESENT if none does, CKR_ARGUMENTS_BAD if
/// several do or the selector has neither label nor serial; the detail says what was looked for and
/// which slots did not answer.
Result<TokenInfo> find_token(const Module& module, const TokenSelector& selector);

/// A slot with a token that is not initialised; CKR_TOKEN_NOT_PRESENT if there is none.
Result<SlotId> find_uninitialized_slot(const Module& module);

/// C_InitToken: makes the token in the slot anew, and destroys all that was in it. `label` has 1 to
/// 32 bytes. Some modules show the token's final slot only after Module::reinitialize().
Result<void> init_token(const Module& module, SlotId slot, const SecretBytes& so_pin,
                        std::string_view label);

/// Sets the user PIN, as the security officer. No other session may be open on the token.
Result<void> init_pin(const Module& module, SlotId slot, const SecretBytes& so_pin,
                      const SecretBytes& user_pin);

/// Initialises the token in `slot`, re-initialises the module so that it is found at its final
/// slot, and sets the user PIN. The rules of Module::reinitialize() hold.
Result<TokenInfo> provision_token(Module& module, SlotId slot, std::string_view label,
                                  const SecretBytes& so_pin, const SecretBytes& user_pin);

Result<std::vector<CK_MECHANISM_TYPE>> list_mechanisms(const Module& module, SlotId slot);
/// CKR_MECHANISM_INVALID where the token does not have it.
Result<CK_MECHANISM_INFO> mechanism_info(const Module& module, SlotId slot,
                                         CK_MECHANISM_TYPE mechanism);

}  // namespace keyhold::pkcs11
