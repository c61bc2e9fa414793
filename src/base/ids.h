// Identifiers that cannot be mixed up, and the random ones' making.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"

namespace keyhold {

/// The CKA_ID of a token object: 32 random bytes drawn for one attempt at making it, and never
/// used for another. The durable name by which the store knows what the token holds.
class ObjectName {
 public:
  static constexpr std::size_t kSize = 32;

  ObjectName() = default;
  static ObjectName draw(Random& random) {
    ObjectName name;
    random.fill(name.bytes_);
    return name;
  }
  static std::optional<ObjectName> from_bytes(ByteView bytes);
  static std::optional<ObjectName> from_hex(std::string_view text);

  ByteView bytes() const { return bytes_; }
  std::string hex() const { return to_hex(bytes_); }

  auto operator<=>(const ObjectName&) const = default;

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

/// A random UUID of version 4, lower case with dashes: the id of a single-Region KMS key.
std::string draw_uuid(Random& random);

/// Whether the text has the form of a UUID, in either case.
bool is_uuid(std::string_view text);

}  // namespace keyhold

template <>
struct std::hash<keyhold::ObjectName> {
  std::size_t operator()(const keyhold::ObjectName& name) const noexcept {
    std::size_t value;  // the bytes are random, so any of them are a hash
    std::memcpy(&value, name.bytes().data(), sizeof value);
    return value;
  }
};
