// Making a SoftHSM token where there is none: for development and first tries.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace keyhold::token {

struct SoftHsmRequest {
  std::string folder;  ///< absolute; made if missing, and the token's alone
  std::string module;  ///< path of SoftHSM's shared object
  std::string label;   ///< 1 to 32 bytes
  Secret so_pin;
  Secret pin;
};

/// Makes `folder` with SoftHSM's configuration and an initialised token in it, unless they are
/// there. A file `token-made` says that the token is whole; what a kill left before that was never
/// in use and is made again, what is there after is not touched. No Pkcs11Token may be open on the
/// module meanwhile, nor on the token in another process (kValidation). Sets SOFTHSM2_CONF in this
/// process's environment.
///
/// Answers the overrides that lead a SoftHSM profile to this token.
Result<std::vector<std::string>> prepare_softhsm(const SoftHsmRequest& request);

/// The same overrides for a folder that was prepared before, but for the module's path; nothing is
/// looked at or made, so that a folder that is away is not taken for one that never was.
std::vector<std::string> softhsm_overrides(const std::string& folder, std::string_view label);

/// Whether prepare_softhsm() has made a token in the folder.
enum class SoftHsmToken : std::uint8_t { kNone, kMade };
SoftHsmToken softhsm_token(const std::string& folder);

/// The folder in which prepare_softhsm() has made the token of this SoftHSM configuration; empty:
/// it is another one, or away.
std::filesystem::path softhsm_folder_of(const std::filesystem::path& configuration);

}  // namespace keyhold::token
