#include "pkcs11/fault/imitation.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <span>

namespace keyhold::pkcs11::fault {
namespace {

std::string_view name_of(std::string_view what) { return what.substr(0, what.find('=')); }

std::string_view text_of(std::string_view what) {
  const auto equals = what.find('=');
  return equals == std::string_view::npos ? std::string_view() : what.substr(equals + 1);
}

std::uint32_t number_of(std::string_view what) {
  const std::string_view text = text_of(what);
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void draw(std::span<std::uint8_t> out) {
  // So few bytes come at once, or not at all.
  if (::getrandom(out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) std::abort();
}

bool is_true(const CK_ATTRIBUTE* attributes, CK_ULONG count, CK_ATTRIBUTE_TYPE type) {
  return std::ranges::any_of(std::span(attributes, count), [type](const CK_ATTRIBUTE& one) {
    return one.type == type && *static_cast<const CK_BBOOL*>(one.pValue) != CK_FALSE;
  });
}

Imitator::Refusal refuse_both(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  const bool both =
      is_true(attributes, count, CKA_SENSITIVE) && is_true(attributes, count, CKA_EXTRACTABLE);
  return both ? Imitator::Refusal(CKR_TEMPLATE_INCONSISTENT) : std::nullopt;
}

constexpr std::array<std::uint8_t, 8> kKeyWrapIv = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};

}  // namespace

Imitator::Refusal Imitator::initialize(std::string_view what, const void* args) {
  const auto* given = static_cast<const CK_C_INITIALIZE_ARGS*>(args);
  const bool has_callbacks = given != nullptr && given->CreateMutex != nullptr;
  if (what == "wants-callbacks" && !has_callbacks) return CKR_CANT_LOCK;
  if (what == "refuses-callbacks" && has_callbacks) return CKR_ARGUMENTS_BAD;
  return std::nullopt;
}

Imitator::Refusal Imitator::open_session(std::string_view what) {
  const std::lock_guard lock(mutex_);
  if (name_of(what) == "at-most" && open_.size() >= number_of(what)) return CKR_SESSION_COUNT;
  if (name_of(what) == "spaced-ms") {
    const auto now = std::chrono::steady_clock::now();
    const bool early = last_open_ && now < *last_open_ + std::chrono::milliseconds(number_of(what));
    if (early) return CKR_ARGUMENTS_BAD;
    last_open_ = now;
  }
  return std::nullopt;
}

Imitator::Refusal Imitator::login(std::string_view what, CK_BYTE*& pin, CK_ULONG& size) {
  if (name_of(what) != "pin-prefix") return std::nullopt;
  const std::string_view prefix = text_of(what);
  const std::string_view given(reinterpret_cast<const char*>(pin), size);
  if (pin == nullptr || !given.starts_with(prefix)) return CKR_PIN_INCORRECT;
  pin += prefix.size();
  size -= prefix.size();
  return std::nullopt;
}

Imitator::Refusal Imitator::generate_key(std::string_view what, CK_ATTRIBUTE*& attributes,
                                         CK_ULONG count, std::vector<CK_ATTRIBUTE>& kept) {
  if (what.empty()) return std::nullopt;
  if (what == "no-sensitive-extractable") return refuse_both(attributes, count);
  const bool shortens = name_of(what) == "short-id";
  kept.assign(attributes, attributes + count);
  attributes = kept.data();
  for (CK_ATTRIBUTE& attribute : kept) {
    if (shortens && attribute.type == CKA_ID) {
      attribute.ulValueLen = std::min<CK_ULONG>(attribute.ulValueLen, number_of(what));
    }
    if (shortens || attribute.type != CKA_KEY_TYPE) continue;
    static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
    const auto type = *static_cast<const CK_KEY_TYPE*>(attribute.pValue);
    if (type == CKK_GENERIC_SECRET) return CKR_TEMPLATE_INCONSISTENT;
    if (type != CKK_AES) attribute.pValue = &generic;  // the module behind knows these alone
  }
  return std::nullopt;
}

Imitator::Refusal Imitator::key_wrap(std::string_view what, CK_MECHANISM*& mechanism,
                                     CK_MECHANISM& kept) {
  if (what.empty() || mechanism == nullptr) return std::nullopt;
  kept = *mechanism;
  if (name_of(what) == "mechanism") {
    if (mechanism->mechanism != number_of(what)) return CKR_MECHANISM_INVALID;
    kept.mechanism = CKM_AES_KEY_WRAP_PAD;
  } else if (what == "standard-iv") {
    const std::span<const std::uint8_t> iv(static_cast<const std::uint8_t*>(kept.pParameter),
                                           kept.ulParameterLen);
    if (!std::ranges::equal(iv, kKeyWrapIv)) return CKR_MECHANISM_PARAM_INVALID;
    kept.pParameter = nullptr;
    kept.ulParameterLen = 0;
  }
  mechanism = &kept;
  return std::nullopt;
}

Imitator::Refusal Imitator::unwrap_key(std::string_view what, CK_ATTRIBUTE*& attributes,
                                       CK_ULONG count, std::vector<CK_ATTRIBUTE>& kept) {
  if (what == "no-sensitive-extractable") return refuse_both(attributes, count);
  if (what != "readable") return std::nullopt;
  static CK_BBOOL no = CK_FALSE;
  static CK_BBOOL yes = CK_TRUE;
  kept.assign(attributes, attributes + count);
  for (CK_ATTRIBUTE& attribute : kept) {
    if (attribute.type == CKA_SENSITIVE) attribute.pValue = &no;
    if (attribute.type == CKA_EXTRACTABLE) attribute.pValue = &yes;
  }
  attributes = kept.data();
  return std::nullopt;
}

Imitator::Refusal Imitator::encrypt_init(std::string_view what, CK_SESSION_HANDLE session,
                                         CK_MECHANISM*& mechanism, OwnMechanism& kept) {
  if (what.empty() || mechanism == nullptr || mechanism->mechanism != CKM_AES_GCM) {
    return std::nullopt;
  }
  auto& given = *static_cast<CK_GCM_PARAMS*>(mechanism->pParameter);
  if (what == "iv-in-buffer") {
    const std::span<std::uint8_t> buffer(given.iv_ptr, given.iv_len);
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    if (buffer.empty() || !std::ranges::all_of(buffer, is_zero)) return CKR_MECHANISM_PARAM_INVALID;
    draw(buffer);
    return std::nullopt;
  }
  if (given.iv_ptr != nullptr || given.iv_len != 0) return CKR_MECHANISM_PARAM_INVALID;
  draw(kept.iv);
  kept.parameters = given;
  kept.parameters.iv_ptr = kept.iv.data();
  kept.parameters.iv_len = kept.iv.size();
  kept.parameters.iv_bits = kept.iv.size() * 8;
  kept.mechanism = {mechanism->mechanism, &kept.parameters, sizeof kept.parameters};
  mechanism = &kept.mechanism;
  const std::lock_guard lock(mutex_);
  behind_[session] = kept.iv;
  return std::nullopt;
}

CK_RV Imitator::refused(std::string_view what, CK_RV rv) {
  if (name_of(what) != "refuses-as") return rv;
  switch (rv) {
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
    case CKR_WRAPPED_KEY_INVALID:
    case CKR_WRAPPED_KEY_LEN_RANGE:
      return number_of(what);
    default:
      return rv;
  }
}

void Imitator::opened(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  open_.insert(session);
}

void Imitator::closed(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  open_.erase(session);
  behind_.erase(session);
}

void Imitator::closed_all() {
  const std::lock_guard lock(mutex_);
  open_.clear();
  behind_.clear();
}

CK_RV Imitator::encrypted(CK_SESSION_HANDLE session, CK_BYTE* out, CK_ULONG* size, CK_ULONG room,
                          CK_RV rv) {
  const std::lock_guard lock(mutex_);
  const auto pending = behind_.find(session);
  if (pending == behind_.end()) return rv;
  const Iv iv = pending->second;
  if (rv != CKR_OK || out != nullptr) behind_.erase(pending);
  if (rv != CKR_OK) return rv;
  if (out != nullptr) {
    if (room < *size + iv.size()) return CKR_BUFFER_TOO_SMALL;
    std::ranges::copy(iv, out + *size);
  }
  *size += iv.size();
  return CKR_OK;
}

}  // namespace keyhold::pkcs11::fault
