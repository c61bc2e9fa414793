// The rules that several operations' members share, by the name of their shape in the API model.
// Sets of words stand in the order in which AWS prints them, where that was seen, else in the
// model's order.
#pragma once

#include <array>
#include <string_view>

#include "api/shape.h"

namespace keyhold::api {

inline constexpr auto kKeySpecWords = std::to_array<std::string_view>(
    {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
     "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256",
     "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"});
inline constexpr auto kCustomerMasterKeySpecWords = std::to_array<std::string_view>(
    {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
     "ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512",
     "SM2"});
inline constexpr auto kDataKeySpecWords = std::to_array<std::string_view>({"AES_256", "AES_128"});
inline constexpr auto kKeyUsageWords = std::to_array<std::string_view>(
    {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"});
inline constexpr auto kOriginWords =
    std::to_array<std::string_view>({"AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"});
inline constexpr auto kKeyStateWords = std::to_array<std::string_view>(
    {"Creating", "Enabled", "Disabled", "PendingDeletion", "PendingImport",
     "PendingReplicaDeletion", "Unavailable", "Updating"});
inline constexpr auto kKeyManagerWords = std::to_array<std::string_view>({"AWS", "CUSTOMER"});
inline constexpr auto kEncryptionAlgorithmWords = std::to_array<std::string_view>(
    {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", "SYMMETRIC_DEFAULT"});
inline constexpr auto kSigningAlgorithmWords = std::to_array<std::string_view>(
    {"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256",
     "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384",
     "ECDSA_SHA_512", "ED25519_SHA_512", "ED25519_PH_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256"});
inline constexpr auto kMacAlgorithmWords = std::to_array<std::string_view>(
    {"HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"});
inline constexpr auto kKeyAgreementAlgorithmWords = std::to_array<std::string_view>({"ECDH"});
inline constexpr auto kMessageTypeWords =
    std::to_array<std::string_view>({"RAW", "DIGEST", "EXTERNAL_MU"});
inline constexpr auto kKeyPairSpecWords = std::to_array<std::string_view>(
    {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
     "ECC_SECG_P256K1", "SM2", "ECC_NIST_EDWARDS25519"});
inline constexpr auto kRecipientAlgorithmWords =
    std::to_array<std::string_view>({"RSAES_OAEP_SHA_256"});
inline constexpr auto kDryRunModifierWords = std::to_array<std::string_view>({"IGNORE_CIPHERTEXT"});
inline constexpr auto kIncludeKeyMaterialWords =
    std::to_array<std::string_view>({"ALL_KEY_MATERIAL", "ROTATIONS_ONLY"});
inline constexpr auto kKeyMaterialStateWords = std::to_array<std::string_view>(
    {"NON_CURRENT", "CURRENT", "PENDING_ROTATION", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"});
inline constexpr auto kImportStateWords =
    std::to_array<std::string_view>({"IMPORTED", "PENDING_IMPORT"});
inline constexpr auto kImportTypeWords =
    std::to_array<std::string_view>({"NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"});
inline constexpr auto kExpirationModelWords =
    std::to_array<std::string_view>({"KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"});
inline constexpr auto kWrappingAlgorithmWords = std::to_array<std::string_view>(
    {"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
     "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE"});
inline constexpr auto kWrappingKeySpecWords =
    std::to_array<std::string_view>({"RSA_2048", "RSA_3072", "RSA_4096", "SM2"});
inline constexpr auto kRotationTypeWords =
    std::to_array<std::string_view>({"AUTOMATIC", "ON_DEMAND"});

/// Whose successes GetKeyLastUsage tells of.
inline constexpr auto kTrackedOperationWords = std::to_array<std::string_view>(
    {"Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
     "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
     "ReEncrypt", "Sign", "Verify", "VerifyMac"});
inline constexpr Rule kTrackedOperation{.words = kTrackedOperationWords};

/// The one algorithm of symmetric encryption keys.
inline constexpr std::string_view kSymmetricDefault = "SYMMETRIC_DEFAULT";

// KeyIdType has no pattern in the model; AWS answers with this one.
inline constexpr Rule kKeyId{.min = 1, .max = 2048, .pattern = Pattern::kAscii};
inline constexpr Rule kArn{.min = 20, .max = 2048};
inline constexpr Rule kDescription{.min = 0, .max = 8192};
inline constexpr Rule kKeySpec{.words = kKeySpecWords};
inline constexpr Rule kCustomerMasterKeySpec{.words = kCustomerMasterKeySpecWords};
// AWS accepts the two AES words and prints the specs of KMS keys.
inline constexpr Rule kDataKeySpec{.words = kDataKeySpecWords, .printed = kKeySpecWords};
inline constexpr Rule kKeyUsage{.words = kKeyUsageWords};
inline constexpr Rule kOrigin{.words = kOriginWords};
inline constexpr Rule kKeyState{.words = kKeyStateWords};
inline constexpr Rule kKeyManager{.words = kKeyManagerWords};
inline constexpr Rule kEncryptionAlgorithm{.words = kEncryptionAlgorithmWords};
inline constexpr Rule kEncryptionAlgorithms{.element = &kEncryptionAlgorithm};
inline constexpr Rule kSigningAlgorithm{.words = kSigningAlgorithmWords};
inline constexpr Rule kSigningAlgorithms{.element = &kSigningAlgorithm};
inline constexpr Rule kMacAlgorithm{.words = kMacAlgorithmWords};
inline constexpr Rule kMacAlgorithms{.element = &kMacAlgorithm};
inline constexpr Rule kKeyAgreementAlgorithm{.words = kKeyAgreementAlgorithmWords};
inline constexpr Rule kKeyAgreementAlgorithms{.element = &kKeyAgreementAlgorithm};
inline constexpr Rule kMessageType{.words = kMessageTypeWords};
inline constexpr Rule kKeyPairSpec{.words = kKeyPairSpecWords};
inline constexpr Rule kPublicKey{.min = 1, .max = 8192};
inline constexpr Rule kPlaintext{.min = 1, .max = 4096, .privacy = Privacy::kSensitive};
inline constexpr Rule kCiphertext{.min = 1, .max = 6144};
inline constexpr Rule kNumberOfBytes{.min = 1, .max = 1024};
inline constexpr Rule kPendingWindowInDays{.min = 1, .max = 365};
inline constexpr Rule kRotationPeriodInDays{.min = 90, .max = 2560};
inline constexpr Rule kLimit{.min = 1, .max = 1000};
inline constexpr Rule kMarker{.min = 1, .max = 1024, .pattern = Pattern::kMarker};
inline constexpr Rule kAliasName{.min = 1, .max = 256, .pattern = Pattern::kAliasName};
inline constexpr Rule kMaterialId{.min = 64, .max = 64, .pattern = Pattern::kMaterialId};
/// Of answers that may have none.
inline constexpr Rule kAnsweredMaterialId{.min = 0, .max = 64, .pattern = Pattern::kMaterialId};
inline constexpr Rule kCustomKeyStoreId{.min = 1, .max = 64};
inline constexpr Rule kCustomKeyStoreName{.min = 1, .max = 256};
inline constexpr Rule kRotationType{.words = kRotationTypeWords};
inline constexpr Rule kKeyMaterialState{.words = kKeyMaterialStateWords};
inline constexpr Rule kMaterialDescription{
    .min = 0, .max = 256, .pattern = Pattern::kMaterialDescription};
inline constexpr Rule kImportState{.words = kImportStateWords};
inline constexpr Rule kImportType{.words = kImportTypeWords};
inline constexpr Rule kExpirationModel{.words = kExpirationModelWords};
inline constexpr Rule kWrappingAlgorithm{.words = kWrappingAlgorithmWords};
inline constexpr Rule kWrappingKeySpec{.words = kWrappingKeySpecWords};
// An import token says under which key material comes, and an error's text reaches the audit trail.
inline constexpr Rule kImportToken{.min = 1, .max = 6144, .privacy = Privacy::kSensitive};
inline constexpr Rule kIncludeKeyMaterial{.words = kIncludeKeyMaterialWords};
inline constexpr Rule kDryRunModifier{.words = kDryRunModifierWords};
inline constexpr Rule kDryRunModifiers{.element = &kDryRunModifier};

// Grant tokens are not sensitive in the model, but an error's text reaches the audit trail, where a
// grant token must not be.
inline constexpr Rule kGrantToken{.min = 1, .max = 8192, .privacy = Privacy::kSensitive};
/// The one that CreateGrant gives out.
inline constexpr Rule kIssuedGrantToken = kGrantToken;
inline constexpr Rule kGrantTokens{
    .min = 0, .max = 10, .privacy = Privacy::kSensitive, .element = &kGrantToken};

/// Who receives a plaintext encrypted for an attested enclave.
struct RecipientInfo {
  std::optional<std::string> key_encryption_algorithm;
  std::optional<Bytes> attestation_document;

  static constexpr auto shape() {
    return members(optional("KeyEncryptionAlgorithm", &RecipientInfo::key_encryption_algorithm,
                            Rule{.words = kRecipientAlgorithmWords}),
                   optional("AttestationDocument", &RecipientInfo::attestation_document,
                            Rule{.min = 1, .max = 262144}));
  }
};
inline constexpr Rule kRecipient = Rule{}.refused("The parameter Recipient is not supported.");

inline constexpr std::string_view kCustomKeyStoresRefusal = "Custom key stores are not supported.";

}  // namespace keyhold::api
