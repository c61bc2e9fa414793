#include "token/curve_points.h"

#include <openssl/objects.h>

#include "token/openssl.h"

namespace keyhold::token {
namespace {

openssl::Group group_of(KeySpec spec) {
  const char* name = PublicKey::curve_name(spec);
  const int nist = EC_curve_nist2nid(name);
  return openssl::Group(EC_GROUP_new_by_curve_name(nist != NID_undef ? nist : OBJ_sn2nid(name)));
}

Bytes uncompressed(const EC_GROUP* group, const EC_POINT* point) {
  Bytes bytes(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, nullptr, 0, nullptr));
  EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes.data(), bytes.size(),
                     nullptr);
  return bytes;
}

}  // namespace

Bytes base_point(KeySpec spec) {
  const openssl::Group group = group_of(spec);
  return uncompressed(group.get(), EC_GROUP_get0_generator(group.get()));
}

Bytes curve_order(KeySpec spec) {
  const openssl::Group group = group_of(spec);
  const BIGNUM* order = EC_GROUP_get0_order(group.get());
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(order)));
  BN_bn2bin(order, bytes.data());
  return bytes;
}

std::optional<std::array<PublicKeyPtr, 2>> public_keys_of_x(KeySpec spec, ByteView x) {
  const openssl::QuietErrors quiet;
  const openssl::Group group = group_of(spec);
  const openssl::Point point(EC_POINT_new(group.get()));
  std::array<PublicKeyPtr, 2> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Bytes compressed = {static_cast<std::uint8_t>(2 + i)};
    append(compressed, x);
    if (EC_POINT_oct2point(group.get(), point.get(), compressed.data(), compressed.size(),
                           nullptr) != 1) {
      return std::nullopt;
    }
    keys[i] = PublicKey::of_point(spec, uncompressed(group.get(), point.get()));
    if (keys[i] == nullptr) return std::nullopt;
  }
  return keys;
}

}  // namespace keyhold::token
