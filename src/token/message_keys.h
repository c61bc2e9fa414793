// Message keys: the one to encrypt with now, the one of a ciphertext, and their renewal.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "token/key_cache.h"
#include "token/materials.h"
#include "token/token.h"
#include "token/token_guard.h"

namespace keyhold::token {

/// All functions are for threads inside the token.
class MessageKeys {
 public:
  MessageKeys(TokenLink& link, TokenGuard& guard, Materials& materials, KeyCache& cache,
              const Clock& clock, Random& random)
      : link_(link),
        guard_(guard),
        materials_(materials),
        cache_(cache),
        clock_(clock),
        random_(random) {}

  Result<SessionKeyPtr> to_encrypt(const Inside& inside, const Material& material);
  Result<SessionKeyPtr> to_decrypt(const Inside& inside, const Material& material, ByteView salt,
                                   ByteView header_tag);

  /// A key of the same salt whose handle is alive; `key` is one that was held over a recovery or a
  /// lost login, or whose object the token no longer has.
  Result<SessionKeyPtr> renewed(const Inside& inside, const SessionKey& key);

  /// The error for a failed decryption: it is the caller's, unless the key no longer computes what
  /// it should.
  Error judge(const Inside& inside, const SessionKey& key, const pkcs11::Error& error);

  /// Whether these made the key.
  bool made(const SessionKey& key) const { return key.maker() == this; }

 private:
  bool is_fit(const SessionKey& key) const;
  Result<SessionKeyPtr> current(const Inside& inside, const Material& material);
  pkcs11::Result<SessionKeyPtr> derive(const MaterialObjectPtr& object, pkcs11::ObjectHandle base,
                                       const EcbSalt& salt);
  Result<SessionKeyPtr> derived(const Inside& inside, const Material& material,
                                const EcbSalt& salt);

  TokenLink& link_;
  TokenGuard& guard_;
  Materials& materials_;
  KeyCache& cache_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace keyhold::token
