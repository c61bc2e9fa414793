// What Decrypt and ReEncrypt ask of a request beyond its shape.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace keyhold::api {

/// The members that depend on each other.
struct CiphertextRequest {
  const std::optional<Bytes>& ciphertext_blob;
  const std::optional<std::string>& key_id;
  std::string_view key_id_member;
  const std::optional<bool>& dry_run;
  const std::vector<std::string>& dry_run_modifiers;
};

/// kValidation: modifiers are for dry runs; a dry run that ignores the ciphertext needs the key
/// named; every other call needs the ciphertext.
Result<void> check_ciphertext_request(const CiphertextRequest& request);

}  // namespace keyhold::api
