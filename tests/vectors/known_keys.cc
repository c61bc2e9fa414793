#include "known_keys.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>

#include <array>

#include "token/key_kind.h"
#include "token/rsa_parts.h"

namespace keyhold::vectors {
namespace {

namespace openssl = token::openssl;
using pkcs11::Attributes;
using pkcs11::ObjectHandle;

Attributes key_attributes(CK_OBJECT_CLASS object_class, CK_KEY_TYPE type) {
  Attributes attributes;
  attributes.number(CKA_CLASS, object_class).number(CKA_KEY_TYPE, type).no(CKA_TOKEN);
  return attributes;
}

Bytes number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  const openssl::Number owned(number);
  if (owned == nullptr) return {};
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  return bytes;
}

/// In the OCTET STRING that PKCS#11 has points in.
Bytes octet_string(ByteView content) {
  Bytes der = {0x04};
  if (content.size() > 127) der.push_back(0x81);
  der.push_back(static_cast<std::uint8_t>(content.size()));
  append(der, content);
  return der;
}

/// As PKCS#11 has it in the OCTET STRING: uncompressed, or the 32 bytes of an Edwards key.
Bytes encoded_point(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
    Bytes bytes(32);
    std::size_t size = bytes.size();
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key, bytes.data(), &size), 1);
    return bytes;
  }
  unsigned char* point = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &point);
  Bytes bytes(point, point + size);
  OPENSSL_free(point);
  return bytes;
}

}  // namespace

void TokenVectors::SetUp() {
  token_ = pkcs11::TestToken::make(GetParam());
  if (!token_) GTEST_SKIP() << pkcs11::name_of(GetParam()) << " is not on this machine";
  session_.emplace(token_->session());
}

std::string TokenVectors::judge() const {
  return GetParam() == pkcs11::TokenKind::kNss ? "nss-3.87" : "softhsm-2.6";
}

pkcs11::Session& TokenVectors::session() {
  if (session_->broken()) {
    session_.reset();
    session_.emplace(token_->session());
  }
  return *session_;
}

pkcs11::Result<ObjectHandle> TokenVectors::secret_key(CK_KEY_TYPE type, ByteView value) {
  Attributes attributes = key_attributes(CKO_SECRET_KEY, type);
  attributes.bytes(CKA_VALUE, value).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  if (type == CKK_AES) {
    attributes.yes(CKA_ENCRYPT).yes(CKA_DECRYPT).yes(CKA_WRAP).yes(CKA_UNWRAP);
  }
  attributes.yes(CKA_SIGN).yes(CKA_VERIFY);
  return pkcs11::create_object(session(), attributes);
}

pkcs11::Result<ObjectHandle> TokenVectors::rsa_private_key(ByteView pkcs8) {
  const openssl::Key key = private_key(pkcs8);
  Attributes attributes = key_attributes(CKO_PRIVATE_KEY, CKK_RSA);
  attributes.yes(CKA_DECRYPT).yes(CKA_SIGN).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const token::RsaPart& part : token::kRsaParts)
    attributes.bytes(part.type, number_of(key.get(), part.name));
  return pkcs11::create_object(session(), attributes);
}

pkcs11::Result<ObjectHandle> TokenVectors::ec_private_key(KeySpec spec, ByteView scalar) {
  Attributes attributes = key_attributes(CKO_PRIVATE_KEY, CKK_EC);
  attributes.yes(CKA_DERIVE)
      .yes(CKA_SENSITIVE)
      .no(CKA_EXTRACTABLE)
      .bytes(CKA_EC_PARAMS, token::curve_parameters(spec))
      .bytes(CKA_VALUE, scalar);
  return pkcs11::create_object(session(), attributes);
}

pkcs11::Result<ObjectHandle> TokenVectors::edwards_private_key(ByteView seed) {
  Attributes attributes = key_attributes(CKO_PRIVATE_KEY, CKK_EC_EDWARDS);
  attributes.yes(CKA_SIGN)
      .yes(CKA_SENSITIVE)
      .no(CKA_EXTRACTABLE)
      .bytes(CKA_EC_PARAMS, token::curve_parameters(KeySpec::kEccNistEdwards25519))
      .bytes(CKA_VALUE, seed);
  return pkcs11::create_object(session(), attributes);
}

pkcs11::Result<ObjectHandle> TokenVectors::public_key(KeySpec spec, ByteView spki) {
  const unsigned char* at = spki.data();
  const openssl::Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  if (key == nullptr) return pkcs11::Error(CKR_ATTRIBUTE_VALUE_INVALID, "public_key");
  Attributes attributes = key_attributes(CKO_PUBLIC_KEY, token::find_kind(row_of(spec).form)->type);
  attributes.yes(CKA_VERIFY);
  if (row_of(spec).form == KeyForm::kRsa) {
    attributes.bytes(CKA_MODULUS, number_of(key.get(), OSSL_PKEY_PARAM_RSA_N))
        .bytes(CKA_PUBLIC_EXPONENT, number_of(key.get(), OSSL_PKEY_PARAM_RSA_E));
  } else {
    attributes.bytes(CKA_EC_PARAMS, token::curve_parameters(spec))
        .bytes(CKA_EC_POINT, octet_string(encoded_point(key.get())));
  }
  return pkcs11::create_object(session(), attributes);
}

void TokenVectors::destroy(ObjectHandle object) {
  if (session_->broken()) return;  // with which its objects go
  EXPECT_TRUE(pkcs11::destroy_object(session(), object));
}

Outcome refusal(const pkcs11::Error& error) {
  return Outcome::refused(std::string(pkcs11::rv_name(error.rv())));
}

openssl::Key private_key(ByteView pkcs8) {
  const unsigned char* at = pkcs8.data();
  return openssl::Key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(pkcs8.size())));
}

}  // namespace keyhold::vectors
