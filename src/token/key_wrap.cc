#include "token/key_wrap.h"

#include <stdexcept>

#include "token/openssl.h"

namespace keyhold::token {

Bytes wrap_with_padding(ByteView wrapping_key, ByteView key) {
  const openssl::QuietErrors quiet;
  const openssl::CipherContext context(EVP_CIPHER_CTX_new());
  Bytes wrapped(key.size() + 16);
  int size = 0;
  int rest = 0;
  if (context == nullptr || wrapping_key.size() != 32) {
    throw std::runtime_error("AES key wrap cannot begin");
  }
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_256_wrap_pad(), nullptr, wrapping_key.data(),
                         nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), wrapped.data(), &size, key.data(),
                        static_cast<int>(key.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), wrapped.data() + size, &rest) != 1) {
    throw std::runtime_error("AES key wrap failed");
  }
  wrapped.resize(static_cast<std::size_t>(size) + static_cast<std::size_t>(rest));
  return wrapped;
}

std::optional<std::size_t> unwrap_with_padding_into(ByteView wrapping_key, ByteView wrapped,
                                                    std::span<std::uint8_t> key) {
  const openssl::QuietErrors quiet;
  const openssl::CipherContext context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (context == nullptr || wrapping_key.size() != 32 || key.size() < wrapped.size()) {
    throw std::runtime_error("AES key unwrap cannot begin");
  }
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (EVP_DecryptInit_ex(context.get(), EVP_aes_256_wrap_pad(), nullptr, wrapping_key.data(),
                         nullptr) != 1 ||
      EVP_DecryptUpdate(context.get(), key.data(), &size, wrapped.data(),
                        static_cast<int>(wrapped.size())) != 1) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(size);
}

}  // namespace keyhold::token
