// What differs between the specs of KMS keys, as a table: read by CreateKey, DescribeKey, the token
// layer, its capability probe and the documents (developer guide, "Key spec reference").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/algorithm.h"
#include "base/short_list.h"
#include "base/vocabulary.h"

namespace keyhold {

/// Of what kind a key is, its size or curve aside.
enum class KeyForm : std::uint8_t { kAes, kRsa, kEllipticCurve, kEdwards, kHmac, kMlDsa, kSm2 };

/// Whether a form's keys are one secret object, or a private and a public one.
enum class KeyParts : std::uint8_t { kSecret, kPair };

/// How long the making of a key may take: milliseconds, or (primes) seconds.
enum class Generation : std::uint8_t { kQuick, kSlow };

struct KeyFormRow {
  KeyForm form;
  KeyParts parts;
  Generation generation;
};
const KeyFormRow& row_of(KeyForm form);

struct KeySpecRow {
  KeySpec spec;
  KeyForm form;
  /// Of the key (AES, HMAC), the modulus (RSA) or the coordinates (curves); the parameter set of
  /// ML-DSA.
  int bits;
  ShortList<KeyUsage, 3> usages;
  /// Of every usage, in the order in which AWS lists them.
  ShortList<Algorithm, 8> algorithms;
  /// Whether GenerateDataKeyPair makes such pairs.
  enum class DataKeyPairs : std::uint8_t { kNone, kMade } data_key_pairs = DataKeyPairs::kNone;
};

/// By the number of the spec.
std::span<const KeySpecRow> key_spec_rows();
const KeySpecRow& row_of(KeySpec spec);

/// Whether the material of such a key is a pair with a public key.
inline bool is_pair(KeySpec spec) { return row_of(row_of(spec).form).parts == KeyParts::kPair; }

/// The algorithms of a spec that go with a usage, in order.
std::vector<Algorithm> algorithms_of(KeySpec spec, KeyUsage usage);

/// RFC 8017, section 7.1.1: the longest message that RSAES-OAEP encrypts, in bytes.
std::size_t max_oaep_message(const KeySpecRow& spec, const AlgorithmRow& algorithm);

}  // namespace keyhold
