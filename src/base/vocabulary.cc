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
constexpr Spellings<KeySpec, 1> spellings<KeySpec>{
    {{KeySpec::kSymmetricDefault, "SYMMETRIC_DEFAULT"}}};
template <>
constexpr Spellings<KeyUsage, 1> spellings<KeyUsage>{
    {{KeyUsage::kEncryptDecrypt, "ENCRYPT_DECRYPT"}}};
template <>
constexpr Spellings<KeyOrigin, 1> spellings<KeyOrigin>{{{KeyOrigin::kAwsKms, "AWS_KMS"}}};
template <>
constexpr Spellings<KeyState, 3> spellings<KeyState>{
    {{KeyState::kEnabled, "Enabled"},
     {KeyState::kDisabled, "Disabled"},
     {KeyState::kPendingDeletion, "PendingDeletion"}}};
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
constexpr Spellings<Custody, 1> spellings<Custody>{{{Custody::kResident, "resident"}}};
template <>
constexpr Spellings<Construction, 2> spellings<Construction>{
    {{Construction::kEcbDerived, "ecb-derived"}, {Construction::kDirect, "direct"}}};

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
std::string_view to_string(KeyOrigin value) { return spelling(value); }
std::string_view to_string(KeyState value) { return spelling(value); }
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
template std::optional<KeyOrigin> parse_word(std::string_view);
template std::optional<KeyState> parse_word(std::string_view);
template std::optional<GrantOperation> parse_word(std::string_view);
template std::optional<RotationType> parse_word(std::string_view);
template std::optional<Custody> parse_word(std::string_view);
template std::optional<Construction> parse_word(std::string_view);

}  // namespace keyhold
