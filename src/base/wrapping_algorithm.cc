#include "base/wrapping_algorithm.h"

#include <array>

namespace keyhold {
namespace {

constexpr auto kRows = std::to_array<WrappingAlgorithmRow>({
    {WrappingAlgorithm::kRsaesOaepSha1, Algorithm::kRsaesOaepSha1, Envelope::kMaterial},
    {WrappingAlgorithm::kRsaesOaepSha256, Algorithm::kRsaesOaepSha256, Envelope::kMaterial},
    {WrappingAlgorithm::kRsaAesKeyWrapSha1, Algorithm::kRsaesOaepSha1, Envelope::kAesKey},
    {WrappingAlgorithm::kRsaAesKeyWrapSha256, Algorithm::kRsaesOaepSha256, Envelope::kAesKey},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].algorithm) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const WrappingAlgorithmRow> wrapping_algorithm_rows() { return kRows; }

const WrappingAlgorithmRow& row_of(WrappingAlgorithm algorithm) {
  return kRows.at(static_cast<std::size_t>(algorithm));
}

std::optional<std::string_view> wrapping_refusal(KeySpec material, WrappingAlgorithm algorithm,
                                                 KeySpec wrapping_key) {
  if (row_of(algorithm).envelope == Envelope::kAesKey) return std::nullopt;
  if (row_of(material).form == KeyForm::kRsa) {
    return "RSA key material is too long for it; use an RSA_AES_KEY_WRAP algorithm";
  }
  if (material == KeySpec::kEccNistP521 && wrapping_key == KeySpec::kRsa2048) {
    return "ECC_NIST_P521 key material is too long for an RSA_2048 wrapping key";
  }
  return std::nullopt;
}

ImportLength import_length(KeySpec spec) {
  const KeySpecRow& row = row_of(spec);
  const auto size = static_cast<std::size_t>(row.bits) / 8;
  if (row.form != KeyForm::kHmac) return {size, size};
  // As long as the hash at least, and as its block at most (FIPS 198-1, section 3).
  return {size, size > 32 ? std::size_t{128} : std::size_t{64}};
}

}  // namespace keyhold
