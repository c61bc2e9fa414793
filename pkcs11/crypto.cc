#include "pkcs11/crypto.h"

#include <string.h>

#include <algorithm>
#include <array>

namespace keyhold::pkcs11 {
namespace {

// The longest signature: RSA with 16384 bits.
constexpr std::size_t kMaxSignature = 5120;  // ML-DSA-87 has 4627
constexpr std::size_t kMaxDigest = 64;

// The second half of an operation has failed. Cryptoki says that the operation is over; modules
// differ, and there is no way to cancel. Only an answer about the data itself is believed.
template <typename T>
void settle(Session& session, const Result<T>& answer) {
  if (answer) return;
  switch (answer.error().rv()) {
    case CKR_DATA_INVALID:
    case CKR_DATA_LEN_RANGE:
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
    case CKR_SIGNATURE_INVALID:
    case CKR_SIGNATURE_LEN_RANGE:
      return;
    default:
      if (!answer.error().ambiguous()) session.mark_broken();
  }
}

}  // namespace

Result<std::size_t> encrypt_into(Session& session, const Mechanism& mechanism, ObjectHandle key,
                                 ByteView plaintext, std::span<std::uint8_t> out) {
  if (out.size() < mechanism.output_capacity(plaintext.size())) {
    return Error(CKR_BUFFER_TOO_SMALL, "encrypt_into", "not called");
  }
  PKCS11_TRY(require_current(session, key, "C_EncryptInit"));
  PKCS11_TRY(
      session.call("C_EncryptInit", &CK_FUNCTION_LIST::C_EncryptInit, mechanism.get(), key.value));
  CK_ULONG size = static_cast<CK_ULONG>(out.size());
  auto done = session.call("C_Encrypt", &CK_FUNCTION_LIST::C_Encrypt, input(plaintext),
                           length(plaintext), out.data(), &size);
  settle(session, done);
  if (!done) return done.error();
  return std::min<std::size_t>(size, out.size());
}

Result<Bytes> encrypt(Session& session, const Mechanism& mechanism, ObjectHandle key,
                      ByteView plaintext) {
  Bytes out(mechanism.output_capacity(plaintext.size()));
  PKCS11_TRY_ASSIGN(const std::size_t size, encrypt_into(session, mechanism, key, plaintext, out));
  out.resize(size);
  return out;
}

Result<std::size_t> decrypt_into(Session& session, const Mechanism& mechanism, ObjectHandle key,
                                 ByteView ciphertext, std::span<std::uint8_t> out) {
  if (out.size() < ciphertext.size()) {
    return Error(CKR_BUFFER_TOO_SMALL, "decrypt_into", "not called");
  }
  PKCS11_TRY(require_current(session, key, "C_DecryptInit"));
  PKCS11_TRY(
      session.call("C_DecryptInit", &CK_FUNCTION_LIST::C_DecryptInit, mechanism.get(), key.value));
  CK_ULONG size = static_cast<CK_ULONG>(out.size());
  auto done = session.call("C_Decrypt", &CK_FUNCTION_LIST::C_Decrypt, input(ciphertext),
                           length(ciphertext), input(out), &size);
  settle(session, done);
  if (!done) {
    // Unauthenticated plaintext is what some modules leave here.
    if (!out.empty()) ::explicit_bzero(out.data(), out.size());
    return done.error();
  }
  return std::min<std::size_t>(size, out.size());
}

Result<SecretBytes> decrypt(Session& session, const Mechanism& mechanism, ObjectHandle key,
                            ByteView ciphertext) {
  SecretBytes out(ciphertext.size());
  PKCS11_TRY_ASSIGN(const std::size_t size,
                    decrypt_into(session, mechanism, key, ciphertext, {out.data(), out.size()}));
  out.resize(size);
  return out;
}

Result<Bytes> sign(Session& session, const Mechanism& mechanism, ObjectHandle key, ByteView data) {
  PKCS11_TRY(require_current(session, key, "C_SignInit"));
  PKCS11_TRY(session.call("C_SignInit", &CK_FUNCTION_LIST::C_SignInit, mechanism.get(), key.value));
  std::array<std::uint8_t, kMaxSignature> signature;
  CK_ULONG size = signature.size();
  auto done = session.call("C_Sign", &CK_FUNCTION_LIST::C_Sign, input(data), length(data),
                           signature.data(), &size);
  settle(session, done);
  if (!done) return done.error();
  const std::size_t used = std::min<std::size_t>(size, signature.size());
  Bytes out(signature.data(), signature.data() + used);
  ::explicit_bzero(signature.data(), used);  // a MAC can be as secret as a key
  return out;
}

Result<Verdict> verify(Session& session, const Mechanism& mechanism, ObjectHandle key,
                       ByteView data, ByteView signature) {
  PKCS11_TRY(require_current(session, key, "C_VerifyInit"));
  PKCS11_TRY(
      session.call("C_VerifyInit", &CK_FUNCTION_LIST::C_VerifyInit, mechanism.get(), key.value));
  auto done = session.call("C_Verify", &CK_FUNCTION_LIST::C_Verify, input(data), length(data),
                           input(signature), length(signature));
  settle(session, done);
  if (done) return Verdict::kValid;
  const CK_RV rv = done.error().rv();
  if (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE) return Verdict::kInvalid;
  return done.error();
}

Result<Bytes> digest(Session& session, const Mechanism& mechanism, ByteView data) {
  PKCS11_TRY(session.call("C_DigestInit", &CK_FUNCTION_LIST::C_DigestInit, mechanism.get()));
  Bytes out(kMaxDigest);
  CK_ULONG size = static_cast<CK_ULONG>(out.size());
  auto done = session.call("C_Digest", &CK_FUNCTION_LIST::C_Digest, input(data), length(data),
                           out.data(), &size);
  settle(session, done);
  if (!done) return done.error();
  out.resize(std::min<std::size_t>(size, out.size()));
  return out;
}

Result<void> random(Session& session, std::span<std::uint8_t> out) {
  if (out.empty()) return {};
  return session.call("C_GenerateRandom", &CK_FUNCTION_LIST::C_GenerateRandom, out.data(),
                      static_cast<CK_ULONG>(out.size()));
}

}  // namespace keyhold::pkcs11
