// Where the token's PIN comes from: never the command line, which everybody on the machine reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace keyhold::app {

struct PinSource {
  enum class Kind : std::uint8_t {
    kNone,
    kFile,         ///< the first line of a file that others cannot read
    kCredential,   ///< a systemd credential: a file in $CREDENTIALS_DIRECTORY
    kEnvironment,  ///< a variable, taken out of the environment when it is read
  };
  Kind kind = Kind::kNone;
  std::string name;  ///< path, or name
};

/// `file:PATH`, `credential:NAME` or `environment:NAME`; a bare absolute path is a file's, as in a
/// `pkcs11:` URI's pin-source. kValidation for anything else.
Result<PinSource> parse_pin_source(std::string_view text);

/// kValidation with a sentence that names the source and never its content: one that is not there,
/// is empty, or is a file that every user may read.
Result<Secret> read_pin(const PinSource& source);

/// The same of a source that is looked at and stays as it is. A credential is systemd's to give,
/// and nothing is said of one outside a unit.
Result<void> check_pin(const PinSource& source);

}  // namespace keyhold::app
