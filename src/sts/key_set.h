// The public keys of an OpenID provider. https://datatracker.ietf.org/doc/html/rfc7517
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

typedef struct evp_pkey_st EVP_PKEY;  // NOLINT(modernize-use-using): OpenSSL's own declaration

namespace keyhold::sts {

/// Keys by `kid`: RSA keys for RS256, P-256 keys for ES256.
class KeySet {
 public:
  /// Reads a JSON Web Key Set. Keys of other kinds and uses are left out; kValidation if nothing is
  /// left, or the text is none.
  static Result<KeySet> parse(std::string_view text);

  /// Whether the key `kid` made this signature with `algorithm`, which is `RS256` or `ES256`.
  /// Any other algorithm, `none` among them, has no key.
  bool verifies(std::string_view kid, std::string_view algorithm, std::string_view signed_text,
                ByteView signature) const;
  bool contains(std::string_view kid) const { return keys_.find(kid) != keys_.end(); }

 private:
  struct Key {
    std::string algorithm;
    std::shared_ptr<EVP_PKEY> key;
  };
  std::map<std::string, Key, std::less<>> keys_;
};

using KeySetPtr = std::shared_ptr<const KeySet>;

}  // namespace keyhold::sts
