#include "base/key_spec.h"

#include <array>

namespace keyhold {
namespace {

using enum Algorithm;
using enum KeyUsage;
constexpr auto kPairs = KeySpecRow::DataKeyPairs::kMade;

constexpr auto kForms = std::to_array<KeyFormRow>({
    {KeyForm::kAes, KeyParts::kSecret, Generation::kQuick},
    {KeyForm::kRsa, KeyParts::kPair, Generation::kSlow},
    {KeyForm::kEllipticCurve, KeyParts::kPair, Generation::kQuick},
    {KeyForm::kEdwards, KeyParts::kPair, Generation::kQuick},
    {KeyForm::kHmac, KeyParts::kSecret, Generation::kQuick},
    {KeyForm::kMlDsa, KeyParts::kPair, Generation::kQuick},
    {KeyForm::kSm2, KeyParts::kPair, Generation::kQuick},
});

constexpr ShortList<KeyUsage, 3> kRsaUsages{kEncryptDecrypt, kSignVerify};
constexpr ShortList<Algorithm, 8> kRsaAlgorithms{
    kRsaesOaepSha1,        kRsaesOaepSha256, kRsassaPkcs1V15Sha256, kRsassaPkcs1V15Sha384,
    kRsassaPkcs1V15Sha512, kRsassaPssSha256, kRsassaPssSha384,      kRsassaPssSha512};
constexpr ShortList<KeyUsage, 3> kCurveUsages{kSignVerify, kKeyAgreement};

constexpr auto kRows = std::to_array<KeySpecRow>({
    {KeySpec::kSymmetricDefault, KeyForm::kAes, 256, {kEncryptDecrypt}, {kSymmetricDefault}},
    {KeySpec::kRsa2048, KeyForm::kRsa, 2048, kRsaUsages, kRsaAlgorithms, kPairs},
    {KeySpec::kRsa3072, KeyForm::kRsa, 3072, kRsaUsages, kRsaAlgorithms, kPairs},
    {KeySpec::kRsa4096, KeyForm::kRsa, 4096, kRsaUsages, kRsaAlgorithms, kPairs},
    {KeySpec::kEccNistP256,
     KeyForm::kEllipticCurve,
     256,
     kCurveUsages,
     {kEcdsaSha256, kEcdh},
     kPairs},
    {KeySpec::kEccNistP384,
     KeyForm::kEllipticCurve,
     384,
     kCurveUsages,
     {kEcdsaSha384, kEcdh},
     kPairs},
    {KeySpec::kEccNistP521,
     KeyForm::kEllipticCurve,
     521,
     kCurveUsages,
     {kEcdsaSha512, kEcdh},
     kPairs},
    {KeySpec::kEccSecgP256K1, KeyForm::kEllipticCurve, 256, {kSignVerify}, {kEcdsaSha256}, kPairs},
    {KeySpec::kEccNistEdwards25519,
     KeyForm::kEdwards,
     255,
     {kSignVerify},
     {kEd25519Sha512, kEd25519PhSha512},
     kPairs},
    {KeySpec::kHmac224, KeyForm::kHmac, 224, {kGenerateVerifyMac}, {kHmacSha224}},
    {KeySpec::kHmac256, KeyForm::kHmac, 256, {kGenerateVerifyMac}, {kHmacSha256}},
    {KeySpec::kHmac384, KeyForm::kHmac, 384, {kGenerateVerifyMac}, {kHmacSha384}},
    {KeySpec::kHmac512, KeyForm::kHmac, 512, {kGenerateVerifyMac}, {kHmacSha512}},
    {KeySpec::kMlDsa44, KeyForm::kMlDsa, 44, {kSignVerify}, {kMlDsaShake256}},
    {KeySpec::kMlDsa65, KeyForm::kMlDsa, 65, {kSignVerify}, {kMlDsaShake256}},
    {KeySpec::kMlDsa87, KeyForm::kMlDsa, 87, {kSignVerify}, {kMlDsaShake256}},
    {KeySpec::kSm2,
     KeyForm::kSm2,
     256,
     {kEncryptDecrypt, kSignVerify, kKeyAgreement},
     {kSm2Pke, kSm2Dsa, kEcdh},
     kPairs},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].spec) != i) return false;
  }
  for (std::size_t i = 0; i < kForms.size(); ++i) {
    if (static_cast<std::size_t>(kForms[i].form) != i) return false;
  }
  return kRows.size() == static_cast<std::size_t>(KeySpec::kSm2) + 1;
}
static_assert(in_order());

}  // namespace

const KeyFormRow& row_of(KeyForm form) { return kForms.at(static_cast<std::size_t>(form)); }

std::span<const KeySpecRow> key_spec_rows() { return kRows; }

const KeySpecRow& row_of(KeySpec spec) { return kRows.at(static_cast<std::size_t>(spec)); }

std::vector<Algorithm> algorithms_of(KeySpec spec, KeyUsage usage) {
  std::vector<Algorithm> found;
  for (const Algorithm algorithm : row_of(spec).algorithms) {
    if (row_of(algorithm).usage == usage) found.push_back(algorithm);
  }
  return found;
}

std::size_t max_oaep_message(const KeySpecRow& spec, const AlgorithmRow& algorithm) {
  return static_cast<std::size_t>(spec.bits) / 8 - 2 * hash_size(algorithm.hash) - 2;
}

}  // namespace keyhold
