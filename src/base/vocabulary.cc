#include "base/vocabulary.h"

#include <array>
#include <cstdlib>
#include <utility>

namespace keyhold {
namespace {

template <typename Word, std::size_t kSize>
using Spellings = std::array<std::pair<Word, std::string_view>, kSize>;

template <typename Word>
constexpr void* spellings = nullptr;  // each word has a specialisation below

template <>
constexpr Spellings<KeySpec, 17> spellings<KeySpec>{
    {{KeySpec::kSymmetricDefault, "SYMMETRIC_DEFAULT"},
     {KeySpec::kRsa2048, "RSA_2048"},
     {KeySpec::kRsa3072, "RSA_3072"},
     {KeySpec::kRsa4096, "RSA_4096"},
     {KeySpec::kEccNistP256, "ECC_NIST_P256"},
     {KeySpec::kEccNistP384, "ECC_NIST_P384"},
     {KeySpec::kEccNistP521, "ECC_NIST_P521"},
     {KeySpec::kEccSecgP256K1, "ECC_SECG_P256K1"},
     {KeySpec::kEccNistEdwards25519, "ECC_NIST_EDWARDS25519"},
     {KeySpec::kHmac224, "HMAC_224"},
     {KeySpec::kHmac256, "HMAC_256"},
     {KeySpec::kHmac384, "HMAC_384"},
     {KeySpec::kHmac512, "HMAC_512"},
     {KeySpec::kMlDsa44, "ML_DSA_44"},
     {KeySpec::kMlDsa65, "ML_DSA_65"},
     {KeySpec::kMlDsa87, "ML_DSA_87"},
     {KeySpec::kSm2, "SM2"}}};
template <>
constexpr Spellings<KeyUsage, 4> spellings<KeyUsage>{
    {{KeyUsage::kEncryptDecrypt, "ENCRYPT_DECRYPT"},
     {KeyUsage::kSignVerify, "SIGN_VERIFY"},
     {KeyUsage::kGenerateVerifyMac, "GENERATE_VERIFY_MAC"},
     {KeyUsage::kKeyAgreement, "KEY_AGREEMENT"}}};
template <>
constexpr Spellings<Algorithm, 22> spellings<Algorithm>{
    {{Algorithm::kSymmetricDefault, "SYMMETRIC_DEFAULT"},
     {Algorithm::kRsaesOaepSha1, "RSAES_OAEP_SHA_1"},
     {Algorithm::kRsaesOaepSha256, "RSAES_OAEP_SHA_256"},
     {Algorithm::kSm2Pke, "SM2PKE"},
     {Algorithm::kRsassaPssSha256, "RSASSA_PSS_SHA_256"},
     {Algorithm::kRsassaPssSha384, "RSASSA_PSS_SHA_384"},
     {Algorithm::kRsassaPssSha512, "RSASSA_PSS_SHA_512"},
     {Algorithm::kRsassaPkcs1V15Sha256, "RSASSA_PKCS1_V1_5_SHA_256"},
     {Algorithm::kRsassaPkcs1V15Sha384, "RSASSA_PKCS1_V1_5_SHA_384"},
     {Algorithm::kRsassaPkcs1V15Sha512, "RSASSA_PKCS1_V1_5_SHA_512"},
     {Algorithm::kEcdsaSha256, "ECDSA_SHA_256"},
     {Algorithm::kEcdsaSha384, "ECDSA_SHA_384"},
     {Algorithm::kEcdsaSha512, "ECDSA_SHA_512"},
     {Algorithm::kEd25519Sha512, "ED25519_SHA_512"},
     {Algorithm::kEd25519PhSha512, "ED25519_PH_SHA_512"},
     {Algorithm::kMlDsaShake256, "ML_DSA_SHAKE_256"},
     {Algorithm::kSm2Dsa, "SM2DSA"},
     {Algorithm::kHmacSha224, "HMAC_SHA_224"},
     {Algorithm::kHmacSha256, "HMAC_SHA_256"},
     {Algorithm::kHmacSha384, "HMAC_SHA_384"},
     {Algorithm::kHmacSha512, "HMAC_SHA_512"},
     {Algorithm::kEcdh, "ECDH"}}};
template <>
constexpr Spellings<MessageType, 3> spellings<MessageType>{
    {{MessageType::kRaw, "RAW"},
     {MessageType::kDigest, "DIGEST"},
     {MessageType::kExternalMu, "EXTERNAL_MU"}}};
template <>
constexpr Spellings<KeyOrigin, 2> spellings<KeyOrigin>{
    {{KeyOrigin::kAwsKms, "AWS_KMS"}, {KeyOrigin::kExternal, "EXTERNAL"}}};
template <>
constexpr Spellings<KeyState, 4> spellings<KeyState>{
    {{KeyState::kEnabled, "Enabled"},
     {KeyState::kDisabled, "Disabled"},
     {KeyState::kPendingDeletion, "PendingDeletion"},
     {KeyState::kPendingImport, "PendingImport"}}};
template <>
constexpr Spellings<WrappingAlgorithm, 4> spellings<WrappingAlgorithm>{
    {{WrappingAlgorithm::kRsaesOaepSha1, "RSAES_OAEP_SHA_1"},
     {WrappingAlgorithm::kRsaesOaepSha256, "RSAES_OAEP_SHA_256"},
     {WrappingAlgorithm::kRsaAesKeyWrapSha1, "RSA_AES_KEY_WRAP_SHA_1"},
     {WrappingAlgorithm::kRsaAesKeyWrapSha256, "RSA_AES_KEY_WRAP_SHA_256"}}};
template <>
constexpr Spellings<GrantOperation, 17> spellings<GrantOperation>{
    {{GrantOperation::kDecrypt, "Decrypt"},
     {GrantOperation::kEncrypt, "Encrypt"},
     {GrantOperation::kGenerateDataKey, "GenerateDataKey"},
     {GrantOperation::kGenerateDataKeyWithoutPlaintext, "GenerateDataKeyWithoutPlaintext"},
     {GrantOperation::kReEncryptFrom, "ReEncryptFrom"},
     {GrantOperation::kReEncryptTo, "ReEncryptTo"},
     {GrantOperation::kSign, "Sign"},
     {GrantOperation::kVerify, "Verify"},
     {GrantOperation::kGetPublicKey, "GetPublicKey"},
     {GrantOperation::kCreateGrant, "CreateGrant"},
     {GrantOperation::kRetireGrant, "RetireGrant"},
     {GrantOperation::kDescribeKey, "DescribeKey"},
     {GrantOperation::kGenerateDataKeyPair, "GenerateDataKeyPair"},
     {GrantOperation::kGenerateDataKeyPairWithoutPlaintext, "GenerateDataKeyPairWithoutPlaintext"},
     {GrantOperation::kGenerateMac, "GenerateMac"},
     {GrantOperation::kVerifyMac, "VerifyMac"},
     {GrantOperation::kDeriveSharedSecret, "DeriveSharedSecret"}}};
template <>
constexpr Spellings<RotationType, 2> spellings<RotationType>{
    {{RotationType::kAutomatic, "AUTOMATIC"}, {RotationType::kOnDemand, "ON_DEMAND"}}};
template <>
constexpr Spellings<Custody, 4> spellings<Custody>{{{Custody::kResident, "resident"},
                                                    {Custody::kWrapped, "wrapped"},
                                                    {Custody::kHostStaged, "host-staged"},
                                                    {Custody::kImported, "imported"}}};
template <>
constexpr Spellings<Construction, 3> spellings<Construction>{
    {{Construction::kNative, "native"},
     {Construction::kEcbDerived, "ecb-derived"},
     {Construction::kDirect, "direct"}}};

template <typename Word>
std::string_view spelling(Word value) {
  for (const auto& [word, text] : spellings<Word>) {
    if (word == value) return text;
  }
  std::abort();  // an enumerator without a row
}

}  // namespace

std::string_view to_string(KeySpec value) { return spelling(value); }
std::string_view to_string(KeyUsage value) { return spelling(value); }
std::string_view to_string(Algorithm value) { return spelling(value); }
std::string_view to_string(MessageType value) { return spelling(value); }
std::string_view to_string(KeyOrigin value) { return spelling(value); }
std::string_view to_string(KeyState value) { return spelling(value); }
std::string_view to_string(WrappingAlgorithm value) { return spelling(value); }
std::string_view to_string(GrantOperation value) { return spelling(value); }
std::string_view to_string(RotationType value) { return spelling(value); }
std::string_view to_string(Custody value) { return spelling(value); }
std::string_view to_string(Construction value) { return spelling(value); }

template <typename Word>
std::optional<Word> parse_word(std::string_view text) {
  for (const auto& [word, spelled] : spellings<Word>) {
    if (spelled == text) return word;
  }
  return std::nullopt;
}

template std::optional<KeySpec> parse_word(std::string_view);
template std::optional<KeyUsage> parse_word(std::string_view);
template std::optional<Algorithm> parse_word(std::string_view);
template std::optional<MessageType> parse_word(std::string_view);
template std::optional<KeyOrigin> parse_word(std::string_view);
template std::optional<KeyState> parse_word(std::string_view);
template std::optional<WrappingAlgorithm> parse_word(std::string_view);
template std::optional<GrantOperation> parse_word(std::string_view);
template std::optional<RotationType> parse_word(std::string_view);
template std::optional<Custody> parse_word(std::string_view);
template std::optional<Construction> parse_word(std::string_view);

}  // namespace keyhold
