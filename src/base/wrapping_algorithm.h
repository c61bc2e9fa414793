// What differs between the algorithms under which key material is imported, as a table
// (GetParametersForImport, "WrappingAlgorithm").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/key_spec.h"
#include "base/vocabulary.h"

namespace keyhold {

/// What the RSA block of a wrapped key material holds.
enum class Envelope : std::uint8_t {
  kMaterial,  ///< the key material itself
  /// An AES-256 key; behind the block comes the key material, wrapped under that key by RFC 5649.
  kAesKey,
};

struct WrappingAlgorithmRow {
  WrappingAlgorithm algorithm;
  Algorithm padding;  ///< of the RSA block
  Envelope envelope;
};
/// By the number of the algorithm.
std::span<const WrappingAlgorithmRow> wrapping_algorithm_rows();
const WrappingAlgorithmRow& row_of(WrappingAlgorithm algorithm);

/// Why a material of that spec does not come under such a key, if it does not: what is too long for
/// one RSA block. `wrapping_key`: an RSA spec.
std::optional<std::string_view> wrapping_refusal(KeySpec material, WrappingAlgorithm algorithm,
                                                 KeySpec wrapping_key);

/// How long, in bytes, secret key material of a spec may be (developer guide, "Requirements for
/// imported key material"). `spec`: of what is no pair.
struct ImportLength {
  std::size_t least;
  std::size_t most;
};
ImportLength import_length(KeySpec spec);

}  // namespace keyhold
