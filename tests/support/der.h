// DER as trees, for tests that write it wrong on purpose.
#pragma once

#include <openssl/bn.h>

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "token/openssl.h"

namespace keyhold::test {

/// A tag, and either content or what it is made of.
struct Der {
  std::uint8_t tag;
  Bytes content;
  std::vector<Der> parts{};
  std::optional<Bytes> spoilt{};  ///< what stands in its place

  Bytes inside() const;
  Bytes encoded() const;
};

inline Bytes der_header(std::uint8_t tag, std::size_t size) {
  Bytes header{tag};
  if (size < 0x80) {
    header.push_back(static_cast<std::uint8_t>(size));
    return header;
  }
  if (size < 0x100) {
    header.push_back(0x81);
  } else {
    header.push_back(0x82);
    header.push_back(static_cast<std::uint8_t>(size >> 8));
  }
  header.push_back(static_cast<std::uint8_t>(size & 0xff));
  return header;
}

inline Bytes Der::inside() const {
  Bytes all = content;
  for (const Der& part : parts) append(all, part.encoded());
  return all;
}

inline Bytes Der::encoded() const {
  if (spoilt) return *spoilt;
  const Bytes all = inside();
  Bytes encoded = der_header(tag, all.size());
  append(encoded, all);
  return encoded;
}

inline Der der_sequence(std::vector<Der> parts) { return {0x30, {}, std::move(parts)}; }
/// An OCTET STRING that holds the encoding of something.
inline Der der_octets_of(Der inner) { return {0x04, {}, {std::move(inner)}}; }
inline Der der_octets(Bytes content) { return {0x04, std::move(content)}; }

/// An INTEGER as DER has it.
inline Der der_integer(const BIGNUM* number) {
  namespace openssl = token::openssl;
  Bytes content(static_cast<std::size_t>(BN_num_bits(number) / 8 + 1));
  const openssl::Number value(BN_dup(number));
  if (BN_is_negative(number) == 1) {
    // Two's complement in as many bytes.
    const openssl::Number modulus(BN_new());
    BN_set_bit(modulus.get(), static_cast<int>(8 * content.size()));
    BN_add(value.get(), value.get(), modulus.get());
  }
  BN_bn2binpad(value.get(), content.data(), static_cast<int>(content.size()));
  return {0x02, std::move(content)};
}

inline Der der_integer(int number) {
  const token::openssl::Number value(BN_new());
  BN_set_word(value.get(), static_cast<BN_ULONG>(number < 0 ? -number : number));
  BN_set_negative(value.get(), number < 0 ? 1 : 0);
  return der_integer(value.get());
}

/// A way to spoil one element; what it answers stands in the element's place.
struct DerFlaw {
  std::string_view name;
  std::function<Bytes(const Der&)> spoil;
};

/// Every way that applies at every level.
inline const std::vector<DerFlaw>& der_flaws() {
  const auto with_header = [](Bytes header, const Bytes& inside) {
    append(header, inside);
    return header;
  };
  const auto whole = [with_header](std::uint8_t tag, const Bytes& inside) {
    return with_header(der_header(tag, inside.size()), inside);
  };
  static const std::vector<DerFlaw> kFlaws = {
      {"missing", [](const Der&) { return Bytes(); }},
      {"empty", [=](const Der& der) { return whole(der.tag, {}); }},
      {"twice",
       [](const Der& der) {
         Bytes twice = der.encoded();
         append(twice, der.encoded());
         return twice;
       }},
      {"truncated",
       [=](const Der& der) {
         Bytes inside = der.inside();
         if (!inside.empty()) inside.pop_back();
         return whole(der.tag, inside);
       }},
      {"half",
       [=](const Der& der) {
         Bytes inside = der.inside();
         inside.resize(inside.size() / 2);
         return whole(der.tag, inside);
       }},
      {"trailing byte",
       [=](const Der& der) {
         Bytes inside = der.inside();
         inside.push_back(0);
         return whole(der.tag, inside);
       }},
      {"trailing element",
       [=](const Der& der) {
         Bytes inside = der.inside();
         append(inside, der_integer(1).encoded());
         return whole(der.tag, inside);
       }},
      {"all ones",
       [=](const Der& der) { return whole(der.tag, Bytes(der.inside().size(), 0xff)); }},
      {"all zeros", [=](const Der& der) { return whole(der.tag, Bytes(der.inside().size())); }},
      {"of another type", [=](const Der& der) { return whole(0x0c, der.inside()); }},
      {"a length too long",
       [=](const Der& der) {
         return with_header(der_header(der.tag, der.inside().size() + 1), der.inside());
       }},
      {"a length too short",
       [=](const Der& der) {
         const std::size_t size = der.inside().size();
         return with_header(der_header(der.tag, size == 0 ? 0 : size - 1), der.inside());
       }},
      {"a length out of all proportion",
       [=](const Der& der) {
         return with_header({der.tag, 0x84, 0xff, 0xff, 0xff, 0xff}, der.inside());
       }},
      {"a length of many bytes",
       [=](const Der& der) {
         const std::size_t size = der.inside().size();
         return with_header({der.tag, 0x85, 0, 0, 0, static_cast<std::uint8_t>(size >> 8),
                             static_cast<std::uint8_t>(size & 0xff)},
                            der.inside());
       }},
      {"an indefinite length",
       [=](const Der& der) {
         Bytes inside = der.inside();
         append(inside, Bytes{0, 0});
         return with_header({der.tag, 0x80}, inside);
       }},
  };
  return kFlaws;
}

/// Calls `use` with each element of the tree; what it does to it is seen in the tree.
inline void for_each_element(Der& der, const std::function<void(Der&)>& use) {
  use(der);
  for (Der& part : der.parts) for_each_element(part, use);
}

}  // namespace keyhold::test
