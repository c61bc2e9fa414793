#include "token/private_key_info.h"

#include <algorithm>
#include <optional>

#include "token/curve_points.h"
#include "token/key_kind.h"
#include "token/public_key.h"

namespace keyhold::token {
namespace {

// X.690, section 8.1.2: universal tags, and those that the structures count themselves.
constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kBitString = 0x03;
constexpr std::uint8_t kOctetString = 0x04;
constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kAttributes = 0xa0;    // RFC 5208, section 5
constexpr std::uint8_t kOwnPublicKey = 0x81;  // RFC 5958, section 2
constexpr std::uint8_t kParameters = 0xa0;    // RFC 5915, section 3
constexpr std::uint8_t kPublicKey = 0xa1;     // likewise

// rsaEncryption, its parameters, and id-ecPublicKey, encoded.
constexpr std::uint8_t kRsaEncryption[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                           0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr std::uint8_t kNull[] = {0x05, 0x00};
constexpr std::uint8_t kEcPublicKey[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

/// The elements of a content, one after the other.
class DerReader {
 public:
  explicit DerReader(ByteView content) : rest_(content) {}

  bool ended() const { return rest_.empty(); }
  bool next_is(std::uint8_t tag) const { return !rest_.empty() && rest_.front() == tag; }

  /// The content of the next element. Nothing if it has another tag, ends behind the last byte, or
  /// has a longer length than it needs; no private key is of 64 KiB.
  std::optional<ByteView> take(std::uint8_t tag) {
    if (rest_.size() < 2 || rest_[0] != tag) return std::nullopt;
    std::size_t header = 2;
    std::size_t size = rest_[1];
    if (size == 0x81 && rest_.size() > 2) {
      header = 3;
      size = rest_[2];
      if (size < 0x80) return std::nullopt;
    } else if (size == 0x82 && rest_.size() > 3) {
      header = 4;
      size = std::size_t{rest_[2]} << 8 | rest_[3];
      if (size < 0x100) return std::nullopt;
    } else if (size >= 0x80) {
      return std::nullopt;
    }
    if (rest_.size() - header < size) return std::nullopt;
    const ByteView content = rest_.subspan(header, size);
    rest_ = rest_.subspan(header + size);
    return content;
  }

  /// The next element, which must be an INTEGER above zero, without leading zeros.
  std::optional<ByteView> take_positive() {
    const auto content = take(kInteger);
    if (!content || content->empty() || (content->front() & 0x80) != 0) return std::nullopt;
    if (content->front() != 0) return content;
    if (content->size() < 2 || ((*content)[1] & 0x80) == 0) return std::nullopt;
    return content->subspan(1);
  }

  /// Whether the next element is the INTEGER of that one byte.
  bool take_version(std::uint8_t version) {
    const auto content = take(kInteger);
    return content && content->size() == 1 && content->front() == version;
  }

 private:
  ByteView rest_;
};

/// Whether a content is those two encodings.
bool is_sequence_of(ByteView content, ByteView first, ByteView second) {
  return content.size() == first.size() + second.size() &&
         std::ranges::equal(content.first(first.size()), first) &&
         std::ranges::equal(content.subspan(first.size()), second);
}

bool is_rsa_private_key(KeySpec spec, ByteView key) {
  DerReader outer(key);
  const auto content = outer.take(kSequence);
  if (!content || !outer.ended()) return false;
  DerReader numbers(*content);
  if (!numbers.take_version(0)) return false;  // two primes
  const auto modulus = numbers.take_positive();
  const auto exponent = numbers.take_positive();
  if (!modulus || !exponent || PublicKey::of_rsa(spec, *modulus, *exponent) == nullptr) {
    return false;
  }
  constexpr int kPrivateNumbers = 6;
  for (int i = 0; i < kPrivateNumbers; ++i) {
    const auto number = numbers.take_positive();
    if (!number || number->size() > modulus->size()) return false;
  }
  return numbers.ended();
}

/// Above zero and below the order, in a time that tells nothing of the scalar. Encoders are known
/// that leave leading zeros out.
bool is_scalar(ByteView scalar, ByteView order) {
  if (scalar.size() > order.size()) return false;
  unsigned any = 0;
  unsigned borrow = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const unsigned digit = i < scalar.size() ? scalar[scalar.size() - 1 - i] : 0U;
    any |= digit;
    borrow = (digit - order[order.size() - 1 - i] - borrow) >> 31;
  }
  return any != 0 && borrow == 1;
}

bool is_curve_private_key(KeySpec spec, ByteView key) {
  DerReader outer(key);
  const auto content = outer.take(kSequence);
  if (!content || !outer.ended()) return false;
  DerReader parts(*content);
  if (!parts.take_version(1)) return false;
  const auto scalar = parts.take(kOctetString);
  if (!scalar || !is_scalar(*scalar, curve_order(spec))) return false;
  if (parts.next_is(kParameters)) {
    const auto parameters = parts.take(kParameters);
    if (!parameters || !std::ranges::equal(*parameters, curve_parameters(spec))) return false;
  }
  if (parts.next_is(kPublicKey)) {
    const auto wrapped = parts.take(kPublicKey);
    if (!wrapped) return false;
    DerReader inner(*wrapped);
    const auto point = inner.take(kBitString);
    if (!point || point->size() < 2 || point->front() != 0 || !inner.ended()) return false;
  }
  return parts.ended();
}

}  // namespace

bool is_private_key_info(KeySpec spec, ByteView bytes) {
  DerReader outer(bytes);
  const auto content = outer.take(kSequence);
  if (!content || !outer.ended()) return false;
  DerReader parts(*content);
  const auto version = parts.take(kInteger);
  if (!version || version->size() != 1 || version->front() > 1) return false;
  const auto algorithm = parts.take(kSequence);
  const auto key = parts.take(kOctetString);
  if (!algorithm || !key) return false;
  if (parts.next_is(kAttributes) && !parts.take(kAttributes)) return false;
  if (parts.next_is(kOwnPublicKey) && !parts.take(kOwnPublicKey)) return false;
  if (!parts.ended()) return false;
  if (row_of(spec).form == KeyForm::kRsa) {
    // NULL, says RFC 8017, but there are encoders that leave it out.
    return (is_sequence_of(*algorithm, kRsaEncryption, kNull) ||
            is_sequence_of(*algorithm, kRsaEncryption, {})) &&
           is_rsa_private_key(spec, *key);
  }
  return is_sequence_of(*algorithm, kEcPublicKey, curve_parameters(spec)) &&
         is_curve_private_key(spec, *key);
}

}  // namespace keyhold::token
