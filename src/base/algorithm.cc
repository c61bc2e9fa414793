#include "base/algorithm.h"

#include <array>

namespace keyhold {
namespace {

using enum KeyUsage;
using enum MessageType;

constexpr auto kRows = std::to_array<AlgorithmRow>({
    {Algorithm::kSymmetricDefault, kEncryptDecrypt, Scheme::kMessageKeys},
    {Algorithm::kRsaesOaepSha1, kEncryptDecrypt, Scheme::kOaep, Hash::kSha1},
    {Algorithm::kRsaesOaepSha256, kEncryptDecrypt, Scheme::kOaep, Hash::kSha256},
    {Algorithm::kSm2Pke, kEncryptDecrypt, Scheme::kSm2Encryption, Hash::kSm3},
    {Algorithm::kRsassaPssSha256, kSignVerify, Scheme::kPss, Hash::kSha256, {kRaw, kDigest}, 32},
    {Algorithm::kRsassaPssSha384, kSignVerify, Scheme::kPss, Hash::kSha384, {kRaw, kDigest}, 48},
    {Algorithm::kRsassaPssSha512, kSignVerify, Scheme::kPss, Hash::kSha512, {kRaw, kDigest}, 64},
    {Algorithm::kRsassaPkcs1V15Sha256,
     kSignVerify,
     Scheme::kPkcs1,
     Hash::kSha256,
     {kRaw, kDigest},
     32},
    {Algorithm::kRsassaPkcs1V15Sha384,
     kSignVerify,
     Scheme::kPkcs1,
     Hash::kSha384,
     {kRaw, kDigest},
     48},
    {Algorithm::kRsassaPkcs1V15Sha512,
     kSignVerify,
     Scheme::kPkcs1,
     Hash::kSha512,
     {kRaw, kDigest},
     64},
    {Algorithm::kEcdsaSha256, kSignVerify, Scheme::kEcdsa, Hash::kSha256, {kRaw, kDigest}, 32},
    {Algorithm::kEcdsaSha384, kSignVerify, Scheme::kEcdsa, Hash::kSha384, {kRaw, kDigest}, 48},
    {Algorithm::kEcdsaSha512, kSignVerify, Scheme::kEcdsa, Hash::kSha512, {kRaw, kDigest}, 64},
    {Algorithm::kEd25519Sha512, kSignVerify, Scheme::kEd25519, Hash::kNone, {kRaw}},
    // KMS hashes the 64 bytes of the digest once more: they are the message of Ed25519ph.
    {Algorithm::kEd25519PhSha512, kSignVerify, Scheme::kEd25519ph, Hash::kNone, {kDigest}, 64},
    {Algorithm::kMlDsaShake256, kSignVerify, Scheme::kMlDsa, Hash::kNone, {kRaw, kExternalMu}, 64},
    {Algorithm::kSm2Dsa, kSignVerify, Scheme::kSm2Signature, Hash::kSm3, {kRaw, kDigest}, 32},
    {Algorithm::kHmacSha224, kGenerateVerifyMac, Scheme::kHmac, Hash::kSha224},
    {Algorithm::kHmacSha256, kGenerateVerifyMac, Scheme::kHmac, Hash::kSha256},
    {Algorithm::kHmacSha384, kGenerateVerifyMac, Scheme::kHmac, Hash::kSha384},
    {Algorithm::kHmacSha512, kGenerateVerifyMac, Scheme::kHmac, Hash::kSha512},
    {Algorithm::kEcdh, kKeyAgreement, Scheme::kEcdh},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].algorithm) != i) return false;
  }
  return kRows.size() == static_cast<std::size_t>(Algorithm::kEcdh) + 1;
}
static_assert(in_order());

}  // namespace

std::size_t hash_size(Hash hash) {
  static constexpr std::array<std::size_t, 7> kSizes = {0, 20, 28, 32, 48, 64, 32};
  return kSizes.at(static_cast<std::size_t>(hash));
}

std::span<const AlgorithmRow> algorithm_rows() { return kRows; }

const AlgorithmRow& row_of(Algorithm algorithm) {
  return kRows.at(static_cast<std::size_t>(algorithm));
}

}  // namespace keyhold
