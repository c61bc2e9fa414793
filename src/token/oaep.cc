// OpenSSL's function is declared obsolete in favour of whole decryptions, of which the token does
// the half here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "token/oaep.h"

#include <openssl/rsa.h>

#include "token/openssl.h"

namespace keyhold::token {

std::optional<std::size_t> remove_oaep_padding_into(const AlgorithmRow& algorithm, ByteView block,
                                                    std::span<std::uint8_t> message) {
  const openssl::QuietErrors quiet;
  const EVP_MD* hash = algorithm.hash == Hash::kSha1 ? EVP_sha1() : EVP_sha256();
  const int size = static_cast<int>(block.size());
  const int length =
      RSA_padding_check_PKCS1_OAEP_mgf1(message.data(), static_cast<int>(message.size()),
                                        block.data(), size, size, nullptr, 0, hash, hash);
  if (length < 0) return std::nullopt;
  return static_cast<std::size_t>(length);
}

std::optional<Secret> remove_oaep_padding(const AlgorithmRow& algorithm, ByteView block) {
  Secret message(block.size());
  const auto length = remove_oaep_padding_into(algorithm, block, {message.data(), message.size()});
  if (!length) return std::nullopt;
  message.resize(*length);
  return message;
}

}  // namespace keyhold::token
