#include "iam/credential.h"

#include <array>

namespace keyhold::iam {
namespace {

constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kIdCharacters = 16;
constexpr std::size_t kSecretCharacters = 40;

}  // namespace

// Both alphabets' sizes divide 256, so the remainder of a random byte is an unbiased choice.

std::string draw_access_key_id(Random& random) {
  std::array<std::uint8_t, kIdCharacters> bytes;
  random.fill(bytes);
  std::string id = "AKIA";
  for (const std::uint8_t byte : bytes) id += kBase32Alphabet[byte % kBase32Alphabet.size()];
  return id;
}

Secret draw_secret_access_key(Random& random) {
  Secret secret(kSecretCharacters);
  random.fill({secret.data(), secret.size()});
  for (std::size_t i = 0; i < secret.size(); ++i) {
    secret.data()[i] =
        static_cast<std::uint8_t>(kBase64Alphabet[secret.data()[i] % kBase64Alphabet.size()]);
  }
  return secret;
}

}  // namespace keyhold::iam
