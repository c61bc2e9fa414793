// What would take a key out of a token, as acts that can be tried.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "token/admission.h"
#include "token/token.h"
#include "token/token_link.h"

namespace keyhold::token {

/// What a forbidden act came to.
struct Trial {
  Outcome outcome;
  std::string detail;
};

struct ForbiddenAct {
  /// Whether succeeding costs the token its admission.
  enum class Weight : std::uint8_t { kFatal, kReported };

  std::string_view act;  ///< "read the value of a sensitive key"
  Weight weight;
  std::function<Trial()> attempt;
};

/// A throwaway session key with the template of key materials and a name as long as theirs.
pkcs11::Result<SessionObject> generate_throwaway_material(TokenLink& link);
ByteView throwaway_name();
/// Its description.
Material throwaway_material(const TokenLink& link);

/// The acts on one throwaway material, and on others that they make for themselves.
class ForbiddenActs {
 public:
  /// `material` outlives this.
  ForbiddenActs(TokenLink& link, pkcs11::ObjectHandle material)
      : link_(link), material_(material) {}

  /// Those that matter under the link's profile. They refer to this.
  std::vector<ForbiddenAct> all();

 private:
  /// A material of wrapped custody as it is kept, and the key that wraps it.
  struct Wrapped {
    SessionObject wrapping_key;
    Bytes blob;
  };

  Trial read_value(pkcs11::ObjectHandle key);
  pkcs11::Attributes wrapping_template() const;
  Trial wrap_under(pkcs11::ObjectHandle wrapping_key);
  Trial wrap();
  Trial wrap_under_known();
  Trial soften();
  Trial copy_softer();
  Trial derive_extractable();

  pkcs11::Result<Wrapped> wrap_material();
  /// On a material that the first of these acts wraps.
  std::function<Trial()> with_wrapped(Trial (ForbiddenActs::*act)(const Wrapped&));
  Trial wrap_unwrapped(const Wrapped& wrapped);
  Trial decrypt_wrapped(const Wrapped& wrapped);
  Trial unwrap_readable(const Wrapped& wrapped);

  TokenLink& link_;
  pkcs11::ObjectHandle material_;
  std::optional<pkcs11::Result<Wrapped>> wrapped_;
};

}  // namespace keyhold::token
