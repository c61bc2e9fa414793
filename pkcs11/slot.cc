#include "pkcs11/slot.h"

#include <algorithm>
#include <array>

#include "pkcs11/padded.h"
#include "pkcs11/session.h"

namespace keyhold::pkcs11 {
namespace {

bool matches(const std::optional<std::string>& wanted, const std::string& is) {
  return !wanted || *wanted == is;
}

std::string describe(const TokenSelector& selector) {
  std::string text;
  const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
    if (!value) return;
    if (!text.empty()) text += ", ";
    text += name;
    text += " '" + *value + "'";
  };
  add("label", selector.label);
  add("serial", selector.serial);
  add("manufacturer", selector.manufacturer);
  add("model", selector.model);
  return text;
}

std::string describe(const std::vector<std::pair<SlotId, Error>>& unreadable) {
  std::string text;
  for (const auto& [slot, error] : unreadable) {
    text += "; slot " + std::to_string(slot) + " did not answer: " + error.text();
  }
  return text;
}

std::optional<CK_ULONG> bound(CK_ULONG value) {
  if (value == CK_EFFECTIVELY_INFINITE || value == CK_UNAVAILABLE_INFORMATION) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<SlotId>> list_slots(const Module& module, SlotFilter filter) {
  const CK_BBOOL present = filter == SlotFilter::kWithToken ? CK_TRUE : CK_FALSE;
  // Asked for the number first even where a guess would do: some modules refresh their list of
  // slots at that question only.
  for (int attempt = 0;; ++attempt) {
    CK_ULONG count = 0;
    PKCS11_TRY(
        module.call("C_GetSlotList", &CK_FUNCTION_LIST::C_GetSlotList, present, nullptr, &count));
    std::vector<SlotId> slots(count + 1);
    count = static_cast<CK_ULONG>(slots.size());
    auto listed = module.call("C_GetSlotList", &CK_FUNCTION_LIST::C_GetSlotList, present,
                              slots.data(), &count);
    if (listed) {
      slots.resize(std::min<std::size_t>(count, slots.size()));
      return slots;
    }
    // A token was plugged in between the calls.
    if (listed.error().rv() != CKR_BUFFER_TOO_SMALL || attempt == 3) return listed.error();
  }
}

Result<TokenInfo> token_info(const Module& module, SlotId slot) {
  CK_TOKEN_INFO info{};
  PKCS11_TRY(module.call("C_GetTokenInfo", &CK_FUNCTION_LIST::C_GetTokenInfo, slot, &info));
  return TokenInfo{slot,
                   unpadded(info.label),
                   unpadded(info.manufacturerID),
                   unpadded(info.model),
                   unpadded(info.serialNumber),
                   info.flags,
                   bound(info.ulMaxSessionCount),
                   info.ulMinPinLen,
                   info.ulMaxPinLen,
                   info.hardwareVersion,
                   info.firmwareVersion};
}

Result<TokenList> list_tokens(const Module& module) {
  PKCS11_TRY_ASSIGN(const std::vector<SlotId> slots, list_slots(module, SlotFilter::kWithToken));
  TokenList list;
  for (const SlotId slot : slots) {
    auto info = token_info(module, slot);
    if (info) {
      list.tokens.push_back(std::move(*info));
    } else {
      list.unreadable.emplace_back(slot, info.error());
    }
  }
  return list;
}

TokenSelector TokenSelector::from(const TokenUri& uri) {
  return TokenSelector{uri.token, uri.serial, uri.manufacturer, uri.model};
}

Result<TokenInfo> find_token(const Module& module, const TokenSelector& selector) {
  if (!selector.label && !selector.serial) {
    return Error(CKR_ARGUMENTS_BAD, "find_token", "neither label nor serial given");
  }
  PKCS11_TRY_ASSIGN(TokenList list, list_tokens(module));
  std::vector<TokenInfo> found;
  for (TokenInfo& token : list.tokens) {
    if (token.initialized() && matches(selector.label, token.label) &&
        matches(selector.serial, token.serial) &&
        matches(selector.manufacturer, token.manufacturer) &&
        matches(selector.model, token.model)) {
      found.push_back(std::move(token));
    }
  }
  if (found.empty()) {
    return Error(CKR_TOKEN_NOT_PRESENT, "find_token",
                 "no token with " + describe(selector) + describe(list.unreadable));
  }
  if (found.size() > 1) {
    std::string serials;
    for (const TokenInfo& token : found) serials += " " + token.serial;
    return Error(CKR_ARGUMENTS_BAD, "find_token",
                 std::to_string(found.size()) + " tokens with " + describe(selector) +
                     ", their serials:" + serials);
  }
  return std::move(found.front());
}

Result<SlotId> find_uninitialized_slot(const Module& module) {
  PKCS11_TRY_ASSIGN(const TokenList list, list_tokens(module));
  for (const TokenInfo& token : list.tokens) {
    if (!token.initialized()) return token.slot;
  }
  return Error(CKR_TOKEN_NOT_PRESENT, "find_uninitialized_slot",
               "every token is initialised" + describe(list.unreadable));
}

Result<void> init_token(const Module& module, SlotId slot, const SecretBytes& so_pin,
                        std::string_view label) {
  std::array<CK_UTF8CHAR, 32> padded;
  padded.fill(' ');
  if (label.empty() || label.size() > padded.size()) {
    return Error(CKR_ARGUMENTS_BAD, "init_token", "a label has 1 to 32 bytes");
  }
  std::ranges::copy(label, padded.begin());
  return module.call("C_InitToken", &CK_FUNCTION_LIST::C_InitToken, slot, input(so_pin.view()),
                     length(so_pin.view()), padded.data());
}

Result<void> init_pin(const Module& module, SlotId slot, const SecretBytes& so_pin,
                      const SecretBytes& user_pin) {
  PKCS11_TRY_ASSIGN(Session session, Session::open(module, slot, Access::kReadWrite));
  PKCS11_TRY(session.login(CKU_SO, so_pin));
  auto done = session.call("C_InitPIN", &CK_FUNCTION_LIST::C_InitPIN, input(user_pin.view()),
                           length(user_pin.view()));
  auto out = session.logout();
  if (!done) return done;
  return out;
}

Result<TokenInfo> provision_token(Module& module, SlotId slot, std::string_view label,
                                  const SecretBytes& so_pin, const SecretBytes& user_pin) {
  PKCS11_TRY(init_token(module, slot, so_pin, label));
  // Labels need not be unique; the serial number is.
  PKCS11_TRY_ASSIGN(const TokenInfo fresh, token_info(module, slot));
  PKCS11_TRY(module.reinitialize());
  const TokenSelector selector{std::string(label), fresh.serial, std::nullopt, std::nullopt};
  PKCS11_TRY_ASSIGN(const TokenInfo token, find_token(module, selector));
  PKCS11_TRY(init_pin(module, token.slot, so_pin, user_pin));
  return token_info(module, token.slot);
}

Result<std::vector<CK_MECHANISM_TYPE>> list_mechanisms(const Module& module, SlotId slot) {
  CK_ULONG count = 0;
  PKCS11_TRY(module.call("C_GetMechanismList", &CK_FUNCTION_LIST::C_GetMechanismList, slot, nullptr,
                         &count));
  std::vector<CK_MECHANISM_TYPE> mechanisms(count + 1);
  count = static_cast<CK_ULONG>(mechanisms.size());
  PKCS11_TRY(module.call("C_GetMechanismList", &CK_FUNCTION_LIST::C_GetMechanismList, slot,
                         mechanisms.data(), &count));
  mechanisms.resize(std::min<std::size_t>(count, mechanisms.size()));
  return mechanisms;
}

Result<CK_MECHANISM_INFO> mechanism_info(const Module& module, SlotId slot,
                                         CK_MECHANISM_TYPE mechanism) {
  CK_MECHANISM_INFO info{};
  PKCS11_TRY(module.call("C_GetMechanismInfo", &CK_FUNCTION_LIST::C_GetMechanismInfo, slot,
                         mechanism, &info));
  return info;
}

}  // namespace keyhold::pkcs11
