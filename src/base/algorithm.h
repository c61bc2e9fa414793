// What differs between the algorithms of KMS keys, as a table: read by validation, DescribeKey, the
// token layer, its capability probe and the documents (API reference, "Sign", "Encrypt",
// "GenerateMac", "DeriveSharedSecret"; developer guide, "Key spec reference").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/short_list.h"
#include "base/vocabulary.h"

namespace keyhold {

/// How an algorithm works, its hash aside.
enum class Scheme : std::uint8_t {
  kMessageKeys,  ///< AES-GCM in ciphertext blobs of our own (docs/ciphertext-format.md)
  kOaep,         ///< RFC 8017, MGF1 over the same hash, empty label
  kPss,          ///< RFC 8017, MGF1 over the same hash, salt as long as the hash
  kPkcs1,        ///< RFC 8017, RSASSA-PKCS1-v1_5
  kEcdsa,        ///< signatures are DER SEQUENCE{r, s}
  kEd25519,      ///< RFC 8032, pure
  kEd25519ph,    ///< RFC 8032, of the bytes given, with an empty context
  kHmac,
  kEcdh,  ///< the x coordinate, without a key derivation function
  kMlDsa,
  kSm2Encryption,
  kSm2Signature,
};

/// The hash that an algorithm applies to what it signs, or that its padding is made with.
enum class Hash : std::uint8_t { kNone, kSha1, kSha224, kSha256, kSha384, kSha512, kSm3 };

/// Length in bytes; 0 for kNone.
std::size_t hash_size(Hash hash);

struct AlgorithmRow {
  Algorithm algorithm;
  KeyUsage usage;
  Scheme scheme;
  Hash hash = Hash::kNone;
  /// Of a signing algorithm: what its Message may be.
  ShortList<MessageType, 2> message_types = {};
  /// The exact length of a Message that is not raw; 0 where there is none such.
  std::size_t digest_size = 0;
};

/// By the number of the algorithm.
std::span<const AlgorithmRow> algorithm_rows();
const AlgorithmRow& row_of(Algorithm algorithm);

/// What is to be signed or verified.
struct Message {
  MessageType type = MessageType::kRaw;
  ByteView bytes;
};

}  // namespace keyhold
