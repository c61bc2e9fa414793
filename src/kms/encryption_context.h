// Encryption context: the caller's non-secret pairs, bound to a ciphertext and not stored in it
// (developer guide, "Encryption context").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace keyhold::kms {

class EncryptionContext {
 public:
  /// AWS publishes no limit for the whole; its external key store proxies must take additional
  /// authenticated data of this size, so nothing that works there is larger.
  static constexpr std::size_t kMaxCanonicalSize = 8192;

  EncryptionContext() = default;

  /// Pairs with distinct names, in any order. kValidation if their canonical form is too large.
  static Result<EncryptionContext> from_pairs(
      std::vector<std::pair<std::string, std::string>> pairs);

  /// Sorted by the UTF-8 bytes of the names.
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }
  bool empty() const { return pairs_.empty(); }

  /// The bytes that stand for the context in additional authenticated data: the number of pairs,
  /// then for each, by name, length and bytes of name and value; lengths of 4 bytes, big-endian.
  /// Two contexts have the same bytes only if they have the same pairs.
  void append_canonical(Bytes& to) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace keyhold::kms
