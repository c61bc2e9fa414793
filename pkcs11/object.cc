#include "pkcs11/object.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace keyhold::pkcs11 {
namespace {

constexpr std::size_t kFindBatch = 256;
// Longer than any wrapped key: PKCS#8 of RSA with 16384 bits has about 9300 bytes.
constexpr std::size_t kMaxWrapped = 16384;

// The answers that speak of attributes and not of the call.
bool is_about_attributes(const Result<void>& answer) {
  return answer || answer.error().rv() == CKR_ATTRIBUTE_SENSITIVE ||
         answer.error().rv() == CKR_ATTRIBUTE_TYPE_INVALID;
}

bool is_unavailable(const CK_ATTRIBUTE& attribute) {
  return attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION;
}

Result<void> ask(Session& session, ObjectHandle object, std::span<CK_ATTRIBUTE> attributes) {
  return session.call("C_GetAttributeValue", &CK_FUNCTION_LIST::C_GetAttributeValue, object.value,
                      attributes.data(), static_cast<CK_ULONG>(attributes.size()));
}

// One attribute by itself, where the return value says why it is not shown.
Result<AttributeValue> read_one(Session& session, ObjectHandle object, CK_ATTRIBUTE_TYPE type) {
  std::array<CK_ATTRIBUTE, 1> one{CK_ATTRIBUTE{type, nullptr, CK_UNAVAILABLE_INFORMATION}};
  const auto not_shown = [&](const Result<void>& answer) {
    const bool sensitive = !answer && answer.error().rv() == CKR_ATTRIBUTE_SENSITIVE;
    return AttributeValue{type, sensitive ? Shown::kSensitive : Shown::kUnknown, SecretBytes()};
  };
  auto sized = ask(session, object, one);
  if (!is_about_attributes(sized)) return sized.error();
  if (!sized || is_unavailable(one[0])) return not_shown(sized);
  SecretBytes value(one[0].ulValueLen);
  one[0].pValue = input(value.view());
  auto read = ask(session, object, one);
  if (!is_about_attributes(read)) return read.error();
  if (!read || is_unavailable(one[0])) return not_shown(read);
  value.resize(std::min<std::size_t>(one[0].ulValueLen, value.size()));
  return AttributeValue{type, Shown::kShown, std::move(value)};
}

template <typename T>
std::optional<T> as(const AttributeValue& attribute) {
  if (attribute.shown != Shown::kShown || attribute.value.size() != sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, attribute.value.data(), sizeof value);
  return value;
}

}  // namespace

std::optional<bool> AttributeValue::flag() const {
  const auto shown_value = as<CK_BBOOL>(*this);
  if (!shown_value) return std::nullopt;
  return *shown_value != CK_FALSE;
}

std::optional<CK_ULONG> AttributeValue::number() const { return as<CK_ULONG>(*this); }

Result<void> require_current(const Session& session, ObjectHandle object, const char* function) {
  if (is_stale(session.module(), object)) [[unlikely]] {
    return Error(CKR_OBJECT_HANDLE_INVALID, function, "a handle of an older generation");
  }
  return {};
}

Result<std::vector<ObjectHandle>> find_objects(Session& session, const Attributes& matching,
                                               std::size_t limit) {
  const std::uint64_t generation = session.module().object_generation();
  Attributes::Raw raw = matching.raw();
  PKCS11_TRY(session.call("C_FindObjectsInit", &CK_FUNCTION_LIST::C_FindObjectsInit, raw.data(),
                          raw.size()));
  std::vector<ObjectHandle> found;
  std::array<CK_OBJECT_HANDLE, kFindBatch> batch;
  Result<void> searched;
  while (found.size() < limit) {
    const std::size_t room = std::min(batch.size(), limit - found.size());
    CK_ULONG count = 0;
    searched = session.call("C_FindObjects", &CK_FUNCTION_LIST::C_FindObjects, batch.data(),
                            static_cast<CK_ULONG>(room), &count);
    if (!searched || count == 0) break;
    for (std::size_t i = 0; i < std::min<std::size_t>(count, room); ++i) {
      found.push_back(ObjectHandle{batch[i], generation});
    }
  }
  // Whatever happened: a search left open blocks the session for everything else.
  auto ended = session.call("C_FindObjectsFinal", &CK_FUNCTION_LIST::C_FindObjectsFinal);
  if (!ended) session.mark_broken();
  if (!searched) return searched.error();
  if (!ended) return ended.error();
  return found;
}

Result<AttributeValue> get_attribute(Session& session, ObjectHandle object,
                                     CK_ATTRIBUTE_TYPE type) {
  PKCS11_TRY(require_current(session, object, "C_GetAttributeValue"));
  return read_one(session, object, type);
}

Result<std::vector<AttributeValue>> get_attributes(Session& session, ObjectHandle object,
                                                   std::span<const CK_ATTRIBUTE_TYPE> types) {
  PKCS11_TRY(require_current(session, object, "C_GetAttributeValue"));
  std::vector<AttributeValue> values;
  std::vector<CK_ATTRIBUTE> query;
  for (const CK_ATTRIBUTE_TYPE type : types) {
    values.push_back(AttributeValue{type, Shown::kUnknown, SecretBytes()});
    // A module that stops at the first attribute it does not know leaves the rest as it is here.
    query.push_back(CK_ATTRIBUTE{type, nullptr, CK_UNAVAILABLE_INFORMATION});
  }
  if (types.empty()) return values;
  auto sized = ask(session, object, query);
  if (!is_about_attributes(sized)) return sized.error();

  std::vector<std::size_t> places;
  std::vector<CK_ATTRIBUTE> wanted;
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (is_unavailable(query[i])) continue;
    values[i].value = SecretBytes(query[i].ulValueLen);
    query[i].pValue = input(values[i].value.view());
    places.push_back(i);
    wanted.push_back(query[i]);
  }
  if (!wanted.empty()) {
    auto read = ask(session, object, wanted);
    if (!is_about_attributes(read)) return read.error();
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    AttributeValue& value = values[places[i]];
    if (is_unavailable(wanted[i])) {
      value.value = SecretBytes();
      continue;
    }
    value.value.resize(std::min<std::size_t>(wanted[i].ulValueLen, value.value.size()));
    value.shown = Shown::kShown;
  }
  for (AttributeValue& value : values) {
    if (value.shown == Shown::kShown) continue;
    PKCS11_TRY_ASSIGN(value, read_one(session, object, value.type));
  }
  return values;
}

Result<ObjectHandle> create_object(Session& session, const Attributes& attributes) {
  ObjectHandle out{CK_INVALID_HANDLE, session.module().object_generation()};
  Attributes::Raw raw = attributes.raw();
  PKCS11_TRY(session.call("C_CreateObject", &CK_FUNCTION_LIST::C_CreateObject, raw.data(),
                          raw.size(), &out.value));
  return out;
}

Result<ObjectHandle> copy_object(Session& session, ObjectHandle object, const Attributes& changes) {
  PKCS11_TRY(require_current(session, object, "C_CopyObject"));
  ObjectHandle out{CK_INVALID_HANDLE, object.generation};
  Attributes::Raw raw = changes.raw();
  PKCS11_TRY(session.call("C_CopyObject", &CK_FUNCTION_LIST::C_CopyObject, object.value, raw.data(),
                          raw.size(), &out.value));
  return out;
}

Result<void> destroy_object(Session& session, ObjectHandle object) {
  PKCS11_TRY(require_current(session, object, "C_DestroyObject"));
  return session.call("C_DestroyObject", &CK_FUNCTION_LIST::C_DestroyObject, object.value);
}

Result<ObjectHandle> generate_key(Session& session, const Mechanism& mechanism,
                                  const Attributes& attributes) {
  ObjectHandle out{CK_INVALID_HANDLE, session.module().object_generation()};
  Attributes::Raw raw = attributes.raw();
  PKCS11_TRY(session.call("C_GenerateKey", &CK_FUNCTION_LIST::C_GenerateKey, mechanism.get(),
                          raw.data(), raw.size(), &out.value));
  return out;
}

Result<KeyPair> generate_key_pair(Session& session, const Mechanism& mechanism,
                                  const Attributes& public_attributes,
                                  const Attributes& private_attributes) {
  const std::uint64_t generation = session.module().object_generation();
  KeyPair out{{CK_INVALID_HANDLE, generation}, {CK_INVALID_HANDLE, generation}};
  Attributes::Raw public_raw = public_attributes.raw();
  Attributes::Raw private_raw = private_attributes.raw();
  PKCS11_TRY(session.call("C_GenerateKeyPair", &CK_FUNCTION_LIST::C_GenerateKeyPair,
                          mechanism.get(), public_raw.data(), public_raw.size(), private_raw.data(),
                          private_raw.size(), &out.public_key.value, &out.private_key.value));
  return out;
}

Result<Bytes> wrap_key(Session& session, const Mechanism& mechanism, ObjectHandle wrapping_key,
                       ObjectHandle key) {
  PKCS11_TRY(require_current(session, wrapping_key, "C_WrapKey"));
  PKCS11_TRY(require_current(session, key, "C_WrapKey"));
  std::array<std::uint8_t, kMaxWrapped> wrapped;
  CK_ULONG size = wrapped.size();
  PKCS11_TRY(session.call("C_WrapKey", &CK_FUNCTION_LIST::C_WrapKey, mechanism.get(),
                          wrapping_key.value, key.value, wrapped.data(), &size));
  return Bytes(wrapped.data(), wrapped.data() + std::min<std::size_t>(size, wrapped.size()));
}

Result<ObjectHandle> unwrap_key(Session& session, const Mechanism& mechanism,
                                ObjectHandle unwrapping_key, ByteView wrapped,
                                const Attributes& attributes) {
  PKCS11_TRY(require_current(session, unwrapping_key, "C_UnwrapKey"));
  ObjectHandle out{CK_INVALID_HANDLE, unwrapping_key.generation};
  Attributes::Raw raw = attributes.raw();
  PKCS11_TRY(session.call("C_UnwrapKey", &CK_FUNCTION_LIST::C_UnwrapKey, mechanism.get(),
                          unwrapping_key.value, input(wrapped), length(wrapped), raw.data(),
                          raw.size(), &out.value));
  return out;
}

Result<ObjectHandle> derive_key(Session& session, const Mechanism& mechanism, ObjectHandle base_key,
                                const Attributes& attributes) {
  PKCS11_TRY(require_current(session, base_key, "C_DeriveKey"));
  ObjectHandle out{CK_INVALID_HANDLE, base_key.generation};
  Attributes::Raw raw = attributes.raw();
  PKCS11_TRY(session.call("C_DeriveKey", &CK_FUNCTION_LIST::C_DeriveKey, mechanism.get(),
                          base_key.value, raw.data(), raw.size(), &out.value));
  return out;
}

}  // namespace keyhold::pkcs11
