#include "token/construction.h"

#include <algorithm>
#include <cstring>

namespace keyhold::token {

std::array<std::uint8_t, kDerivedKeySize> derivation_data(Purpose purpose, const EcbSalt& salt) {
  std::array<std::uint8_t, kDerivedKeySize> data;
  std::memcpy(data.data(), salt.data(), kEcbSaltSize);
  std::memcpy(data.data() + kEcbSaltSize + 1, salt.data(), kEcbSaltSize);
  data[kEcbSaltSize] = static_cast<std::uint8_t>(purpose);
  data[2 * kEcbSaltSize + 1] = static_cast<std::uint8_t>(static_cast<int>(purpose) + 1);
  return data;
}

Bytes header_message(ByteView subject, const EcbSalt& salt) {
  Bytes message;
  message.reserve(3 * 4 + kHeaderDomain.size() + subject.size() + salt.size());
  const auto add = [&message](ByteView part) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      message.push_back(static_cast<std::uint8_t>(part.size() >> shift));
    }
    append(message, part);
  };
  add(as_bytes(kHeaderDomain));
  add(subject);
  add(salt);
  return message;
}

}  // namespace keyhold::token
