// Custody keys in the token: what materials of wrapped custody are wrapped and sealed under. Each
// is two secret keys under one name: an AES key that wraps, and an HMAC key that seals.
#pragma once

#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/random.h"
#include "token/capability.h"
#include "token/storage_folders.h"
#include "token/token.h"
#include "token/token_guard.h"
#include "token/token_objects.h"
#include "token/wrapping_probe.h"

namespace keyhold::token {

/// All functions are for threads inside the token; what they promise stands at Token's functions.
class CustodyKeys {
 public:
  CustodyKeys(TokenLink& link, TokenGuard& guard, TokenObjects& objects,
              const Capabilities& capabilities, Random& random)
      : link_(link),
        guard_(guard),
        objects_(objects),
        capabilities_(capabilities),
        random_(random),
        folders_(link.profile().sync_folders, TokenObjectCopy::kNone) {}

  /// By what the token wraps; tried at the first call.
  Result<WrappingCapability> wrapping();

  Result<Bytes> generate(const Inside& inside, const ObjectName& name);
  Result<void> check(const Inside& inside, const CustodyKey& key);

  /// The objects behind a name, which could never leave the token.
  struct Objects {
    pkcs11::ObjectHandle wrapping;
    pkcs11::ObjectHandle sealing;
  };
  Result<Objects> find(const Inside& inside, const ObjectName& name);
  /// Calls `call(Objects)`, and once more with them sought anew if a handle was stale.
  template <typename Call>
  auto with(const Inside& inside, const ObjectName& name, std::string_view what, const Call& call)
      -> Result<typename decltype(call(std::declval<const Objects&>()))::value_type> {
    for (int attempt = 0;; ++attempt) {
      TRY_ASSIGN(const Objects objects, find(inside, name));
      auto answer = call(objects);
      if (answer) return std::move(*answer);
      if (attempt != 0 || !answer.error().handle_stale()) {
        return guard_.fail(inside, answer.error(), what, Repeatable::kNo);
      }
      forget(name);
    }
  }

  /// The same once what is behind the name was compared with the check value: nothing is wrapped
  /// under a key that somebody else has put there.
  Result<void> expect_proven(const Inside& inside, const CustodyKey& key);

  /// A MAC of the sealing key.
  Result<Bytes> seal(const Inside& inside, const ObjectName& name, ByteView message);

  void forget(const ObjectName& name);
  void forget_all();

 private:
  struct Known {
    Objects objects;
    Bytes proven;  ///< the check value that they have passed; empty: none yet
  };

  Result<Objects> look(const Inside& inside, const ObjectName& name, TokenObjects::Look look);
  pkcs11::Result<Objects> make(const ObjectName& name);
  pkcs11::Result<Bytes> mac(const Objects& objects, ByteView message);
  pkcs11::Result<Bytes> make_check_value(const Objects& objects, MechanismType mechanism);
  pkcs11::Result<Proof> prove(const Objects& objects, ByteView check_value);
  pkcs11::Result<Bytes> canary_mac(const Objects& objects, ByteView blob);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
  const Capabilities& capabilities_;
  Random& random_;
  const StorageFolders folders_;
  std::mutex wrapping_mutex_;
  std::optional<WrappingCapability> wrapping_;  // guarded by wrapping_mutex_
  std::mutex mutex_;
  std::unordered_map<ObjectName, Known>
      known_;  // guarded by mutex_; there are never more than a few
};

}  // namespace keyhold::token
