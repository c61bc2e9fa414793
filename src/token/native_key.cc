#include "token/native_key.h"

#include <algorithm>
#include <array>

#include "token/construction.h"
#include "token/key_kind.h"
#include "token/key_template.h"

namespace keyhold::token {
namespace {

std::size_t byte_width(KeySpec spec) {
  return (static_cast<std::size_t>(row_of(spec).bits) + 7) / 8;
}

pkcs11::Error wrong_length(const char* function) {
  return pkcs11::Error(CKR_FUNCTION_FAILED, function, "the answer has a wrong length");
}

std::size_t signature_size(KeySpec spec, const AlgorithmRow& algorithm) {
  switch (algorithm.scheme) {
    case Scheme::kEcdsa:
      return 2 * byte_width(spec);
    case Scheme::kEd25519:
    case Scheme::kEd25519ph:
      return 64;
    case Scheme::kHmac:
      return hash_size(algorithm.hash);
    case Scheme::kMlDsa:  // FIPS 204, table 2
      return spec == KeySpec::kMlDsa44 ? 2420 : spec == KeySpec::kMlDsa65 ? 3309 : 4627;
    default:
      return byte_width(spec);
  }
}

}  // namespace

Bytes to_be_signed(const AlgorithmRow& algorithm, const Message& message) {
  Bytes digest = digest_of(algorithm, message);
  if (algorithm.scheme != Scheme::kPkcs1) return digest;
  // The object identifiers of SHA-256, SHA-384 and SHA-512 end with 1, 2, 3.
  const std::uint8_t last = algorithm.hash == Hash::kSha256   ? 1
                            : algorithm.hash == Hash::kSha384 ? 2
                                                              : 3;
  const auto size = static_cast<std::uint8_t>(digest.size());
  Bytes info = {0x30, static_cast<std::uint8_t>(17 + size),
                0x30, 0x0d,
                0x06, 0x09,
                0x60, 0x86,
                0x48, 0x01,
                0x65, 0x03,
                0x04, 0x02,
                last, 0x05,
                0x00, 0x04,
                size};
  append(info, digest);
  return info;
}

pkcs11::Result<Bytes> sign(TokenLink& link, KeySpec spec, pkcs11::ObjectHandle key,
                           const AlgorithmRow& algorithm, const Message& message) {
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(algorithm));
  const Bytes input = algorithm.scheme == Scheme::kHmac
                          ? Bytes(message.bytes.begin(), message.bytes.end())
                          : to_be_signed(algorithm, message);
  PKCS11_TRY_ASSIGN(Bytes signature, link.on_session([&](pkcs11::Session& session) {
    return pkcs11::sign(session, mechanism, key, input);
  }));
  if (signature.size() != signature_size(spec, algorithm)) return wrong_length("C_Sign");
  return algorithm.scheme == Scheme::kEcdsa ? ecdsa_to_der(signature) : std::move(signature);
}

pkcs11::Result<pkcs11::Verdict> verify(TokenLink& link, pkcs11::ObjectHandle public_key,
                                       const AlgorithmRow& algorithm, const Message& message,
                                       ByteView signature) {
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(algorithm));
  const Bytes input = to_be_signed(algorithm, message);
  return link.on_session([&](pkcs11::Session& session) {
    return pkcs11::verify(session, mechanism, public_key, input, signature);
  });
}

pkcs11::Result<Secret> decrypt_padded(TokenLink& link, pkcs11::ObjectHandle key,
                                      const AlgorithmRow& algorithm, ByteView ciphertext) {
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(algorithm));
  Secret plaintext(ciphertext.size());
  PKCS11_TRY_ASSIGN(const std::size_t size, link.on_session([&](pkcs11::Session& session) {
    return pkcs11::decrypt_into(session, mechanism, key, ciphertext,
                                {plaintext.data(), plaintext.size()});
  }));
  plaintext.resize(size);
  return plaintext;
}

pkcs11::Result<void> decrypt_bare(TokenLink& link, pkcs11::ObjectHandle key, ByteView ciphertext,
                                  std::span<std::uint8_t> block) {
  const auto mechanism = pkcs11::Mechanism::plain(CKM_RSA_X_509);
  PKCS11_TRY_ASSIGN(const std::size_t size, link.on_session([&](pkcs11::Session& session) {
    return pkcs11::decrypt_into(session, mechanism, key, ciphertext, block);
  }));
  // Tokens that leave leading zeros out would tell by it whether a block begins with one.
  if (size != block.size()) return wrong_length("C_Decrypt");
  return {};
}

pkcs11::Result<Secret> agree(TokenLink& link, KeySpec spec, pkcs11::ObjectHandle key,
                             ByteView point) {
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, pkcs11::Mechanism::ecdh(point));
  const std::size_t size = byte_width(spec);
  link.objects().count_made(1);
  return link.on_session([&](pkcs11::Session& session) -> pkcs11::Result<Secret> {
    PKCS11_TRY_ASSIGN(const pkcs11::ObjectHandle secret,
                      pkcs11::derive_key(session, mechanism, key, shared_secret_template(size)));
    auto value = pkcs11::get_attribute(session, secret, CKA_VALUE);
    // One that does not go now goes with its session.
    static_cast<void>(pkcs11::destroy_object(session, secret));
    if (!value) return value.error();
    if (value->value.size() != size) return wrong_length("C_DeriveKey");
    return Secret(value->value.view());
  });
}

pkcs11::Result<PublicKeyPtr> read_public_key(TokenLink& link, KeySpec spec,
                                             pkcs11::ObjectHandle public_key) {
  return link.on_session(
      [&](pkcs11::Session& session) { return read_public_key(session, spec, public_key); });
}

pkcs11::Result<PublicKeyPtr> read_public_key(pkcs11::Session& session, KeySpec spec,
                                             pkcs11::ObjectHandle public_key) {
  static constexpr CK_ATTRIBUTE_TYPE kModulus[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT};
  static constexpr CK_ATTRIBUTE_TYPE kPoint[] = {CKA_EC_POINT};
  static constexpr CK_ATTRIBUTE_TYPE kValue[] = {CKA_VALUE};
  const bool curve = !curve_parameters(spec).empty();
  const bool ml_dsa = row_of(spec).form == KeyForm::kMlDsa;
  std::span<const CK_ATTRIBUTE_TYPE> wanted = kModulus;
  if (curve) wanted = kPoint;
  if (ml_dsa) wanted = kValue;
  PKCS11_TRY_ASSIGN(const auto shown, pkcs11::get_attributes(session, public_key, wanted));
  PublicKeyPtr key;
  if (curve) {
    // PKCS#11 has the point in an OCTET STRING; tokens are known that leave that out.
    const ByteView point = shown[0].value.view();
    key = PublicKey::of_point(spec, point);
    for (const std::size_t header : {std::size_t{2}, std::size_t{3}}) {
      if (key == nullptr && point.size() > header && point[0] == 0x04) {
        key = PublicKey::of_point(spec, point.subspan(header));
      }
    }
  } else if (ml_dsa) {
    key = PublicKey::of_ml_dsa(spec, shown[0].value.view());
  } else {
    key = PublicKey::of_rsa(spec, shown[0].value.view(), shown[1].value.view());
  }
  if (key == nullptr) {
    return pkcs11::Error(CKR_ATTRIBUTE_VALUE_INVALID, "C_GetAttributeValue",
                         "the public key is not of its spec");
  }
  return key;
}

pkcs11::Result<Bytes> make_check_value(TokenLink& link, MaterialKind kind, pkcs11::ObjectHandle key,
                                       const PublicKey* public_key) {
  if (public_key != nullptr) return public_key->fingerprint();
  return sign(link, kind.spec, key, row_of(algorithms_of(kind.spec, kind.usage).front()),
              {MessageType::kRaw, as_bytes(kCheckDomain)});
}

namespace {

pkcs11::Result<Proof> prove_signing(TokenLink& link, const Material& material,
                                    const KeyObjects& objects, const AlgorithmRow& algorithm) {
  const Message message{MessageType::kRaw, as_bytes(kCheckDomain)};
  PKCS11_TRY_ASSIGN(const Bytes signature,
                    sign(link, material.kind.spec, objects.key, algorithm, message));
  if (!PublicKey::can_verify(algorithm)) {
    if (!objects.public_key) return Proof::kDiffers;
    PKCS11_TRY_ASSIGN(const pkcs11::Verdict verdict,
                      verify(link, *objects.public_key, algorithm, message, signature));
    return verdict == pkcs11::Verdict::kValid ? Proof::kHolds : Proof::kDiffers;
  }
  return material.public_key->verify(algorithm, message, signature) == PublicKey::Verdict::kValid
             ? Proof::kHolds
             : Proof::kDiffers;
}

pkcs11::Result<Proof> prove_decrypting(TokenLink& link, const Material& material,
                                       pkcs11::ObjectHandle key, const AlgorithmRow& algorithm,
                                       Random& random) {
  Secret message(32);
  random.fill({message.data(), message.size()});
  const auto ciphertext = material.public_key->encrypt(algorithm, message.view());
  if (!ciphertext) return Proof::kDiffers;
  const auto opened = decrypt_padded(link, key, algorithm, *ciphertext);
  if (!opened) {
    if (link.says_bad_ciphertext(opened.error())) return Proof::kDiffers;
    return opened.error();
  }
  return equal_in_constant_time(opened->view(), message.view()) ? Proof::kHolds : Proof::kDiffers;
}

pkcs11::Result<Proof> prove_agreeing(TokenLink& link, const Material& material,
                                     pkcs11::ObjectHandle key) {
  const auto exchange = material.public_key->exchange();
  if (!exchange) return Proof::kDiffers;
  PKCS11_TRY_ASSIGN(const Secret shared, agree(link, material.kind.spec, key, exchange->point));
  return equal_in_constant_time(shared.view(), exchange->shared) ? Proof::kHolds : Proof::kDiffers;
}

}  // namespace

pkcs11::Result<Proof> prove(TokenLink& link, const Material& material, const KeyObjects& objects,
                            Algorithm algorithm, Random& random) {
  const pkcs11::ObjectHandle key = objects.key;
  const AlgorithmRow& row = row_of(algorithm);
  const PublicKey* public_key = material.public_key.get();
  if (is_pair(material.kind.spec) &&
      (public_key == nullptr ||
       !equal_in_constant_time(public_key->fingerprint(), material.check_value))) {
    return Proof::kDiffers;
  }
  switch (row.scheme) {
    case Scheme::kHmac: {
      PKCS11_TRY_ASSIGN(const Bytes value, make_check_value(link, material.kind, key, nullptr));
      return equal_in_constant_time(value, material.check_value) ? Proof::kHolds : Proof::kDiffers;
    }
    case Scheme::kOaep:
      return prove_decrypting(link, material, key, row, random);
    case Scheme::kEcdh:
      return prove_agreeing(link, material, key);
    default:
      return prove_signing(link, material, objects, row);
  }
}

}  // namespace keyhold::token
