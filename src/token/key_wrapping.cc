#include "token/key_wrapping.h"

#include <array>

#include "token/key_kind.h"

namespace keyhold::token {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderSize = 9;

/// RFC 3394, section 2.2.3.1, and RFC 5649, section 3.
constexpr std::array<std::uint8_t, 8> kKeyWrapIv = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
constexpr std::array<std::uint8_t, 4> kKeyWrapKwpIv = {0xa6, 0x59, 0x59, 0xa6};

pkcs11::Mechanism wrapping_mechanism(const TokenLink& link, CK_MECHANISM_TYPE type) {
  if (link.profile().wrap_iv == WrapIv::kNull) return pkcs11::Mechanism::plain(type);
  return type == kAesKeyWrapKwp ? pkcs11::Mechanism::aes_key_wrap(kKeyWrapKwpIv, type)
                                : pkcs11::Mechanism::aes_key_wrap(kKeyWrapIv, type);
}

Bytes blob_of(CK_MECHANISM_TYPE type, ByteView wrapped) {
  Bytes blob{kVersion};
  for (int shift = 56; shift >= 0; shift -= 8) {
    blob.push_back(static_cast<std::uint8_t>(std::uint64_t{type} >> shift));
  }
  append(blob, wrapped);
  return blob;
}

struct Parsed {
  CK_MECHANISM_TYPE type;
  ByteView wrapped;
};

pkcs11::Result<Parsed> parse(ByteView blob) {
  if (blob.size() <= kHeaderSize || blob[0] != kVersion) {
    return pkcs11::Error(CKR_WRAPPED_KEY_INVALID, "C_UnwrapKey", "no wrapped key");
  }
  std::uint64_t type = 0;
  for (const std::uint8_t byte : blob.subspan(1, kHeaderSize - 1)) type = (type << 8) | byte;
  return Parsed{static_cast<CK_MECHANISM_TYPE>(type), blob.subspan(kHeaderSize)};
}

/// Wraps what `make` leaves on a session, and destroys it there.
template <typename Make>
pkcs11::Result<Bytes> wrap_once(TokenLink& link, CK_MECHANISM_TYPE wrapping,
                                pkcs11::ObjectHandle wrapping_key, const Make& make) {
  const pkcs11::Mechanism mechanism = wrapping_mechanism(link, wrapping);
  link.objects().count_made(1);
  PKCS11_TRY_ASSIGN(const Bytes wrapped,
                    link.on_session([&](pkcs11::Session& session) -> pkcs11::Result<Bytes> {
                      PKCS11_TRY_ASSIGN(const pkcs11::ObjectHandle key, make(session));
                      auto wrapped = pkcs11::wrap_key(session, mechanism, wrapping_key, key);
                      const auto destroyed = pkcs11::destroy_object(session, key);
                      if (!destroyed) {
                        // A session's objects go with it.
                        session.mark_broken();
                        if (wrapped) return destroyed.error();
                      }
                      return wrapped;
                    }));
  return blob_of(wrapping, wrapped);
}

}  // namespace

pkcs11::Result<Bytes> generate_wrapped(TokenLink& link, CK_MECHANISM_TYPE generation,
                                       const pkcs11::Attributes& to_wrap,
                                       CK_MECHANISM_TYPE wrapping,
                                       pkcs11::ObjectHandle wrapping_key) {
  const auto mechanism = pkcs11::Mechanism::plain(generation);
  return wrap_once(link, wrapping, wrapping_key, [&](pkcs11::Session& session) {
    return pkcs11::generate_key(session, mechanism, to_wrap);
  });
}

pkcs11::Result<Bytes> rewrap(TokenLink& link, ByteView blob, pkcs11::ObjectHandle unwrapping_key,
                             const pkcs11::Attributes& to_wrap, CK_MECHANISM_TYPE wrapping,
                             pkcs11::ObjectHandle wrapping_key) {
  PKCS11_TRY_ASSIGN(const Parsed parsed, parse(blob));
  const pkcs11::Mechanism mechanism = wrapping_mechanism(link, parsed.type);
  return wrap_once(link, wrapping, wrapping_key, [&](pkcs11::Session& session) {
    return pkcs11::unwrap_key(session, mechanism, unwrapping_key, parsed.wrapped, to_wrap);
  });
}

pkcs11::Result<SessionObject> unwrap(TokenLink& link, ByteView blob,
                                     pkcs11::ObjectHandle unwrapping_key,
                                     const pkcs11::Attributes& attributes) {
  PKCS11_TRY_ASSIGN(const Parsed parsed, parse(blob));
  return link.objects().unwrap(wrapping_mechanism(link, parsed.type), unwrapping_key,
                               parsed.wrapped, attributes);
}

pkcs11::Result<Bytes> wrap(TokenLink& link, CK_MECHANISM_TYPE wrapping,
                           pkcs11::ObjectHandle wrapping_key, pkcs11::ObjectHandle key) {
  const pkcs11::Mechanism mechanism = wrapping_mechanism(link, wrapping);
  PKCS11_TRY_ASSIGN(const Bytes wrapped, link.on_session([&](pkcs11::Session& session) {
    return pkcs11::wrap_key(session, mechanism, wrapping_key, key);
  }));
  return blob_of(wrapping, wrapped);
}

pkcs11::Result<SessionObject> wrap_and_unwrap(TokenLink& link, CK_MECHANISM_TYPE wrapping,
                                              pkcs11::ObjectHandle wrapping_key,
                                              pkcs11::ObjectHandle key,
                                              const pkcs11::Attributes& unwrapped) {
  PKCS11_TRY_ASSIGN(const Bytes blob, wrap(link, wrapping, wrapping_key, key));
  return unwrap(link, blob, wrapping_key, unwrapped);
}

pkcs11::Error another_key_came_back() {
  return pkcs11::Error(CKR_FUNCTION_FAILED, "C_UnwrapKey", "another key than was wrapped");
}

}  // namespace keyhold::token
