// Seals security tokens under the service key, as sts asks for it.
#pragma once

#include <algorithm>

#include "sts/session_credentials.h"
#include "token/sealer.h"
#include "token/token.h"

namespace keyhold::app {

class SecurityTokenSealer final : public sts::TokenSealer {
 public:
  /// `sealer` seals under `service_key` and must outlive it.
  SecurityTokenSealer(token::Sealer& sealer, const token::Material& service_key) : sealer_(sealer) {
    const ByteView name = service_key.object_name.bytes();
    std::copy_n(name.begin(), key_id_.size(), key_id_.begin());
  }

  std::array<std::uint8_t, 8> key_id() const override { return key_id_; }
  Result<Bytes> seal(ByteView plaintext, ByteView aad) override {
    return sealer_.seal(plaintext, aad);
  }
  Result<Secret> open(ByteView sealed, ByteView aad) override { return sealer_.open(sealed, aad); }

 private:
  token::Sealer& sealer_;
  std::array<std::uint8_t, 8> key_id_{};
};

}  // namespace keyhold::app
