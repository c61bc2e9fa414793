// What an operator is shown of keys and of the token, as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kms/service.h"
#include "token/token.h"

namespace keyhold::app {

/// A key with its materials, and of each what the token itself says of it now. kNotFound with a
/// sentence for an id that is no key's.
Result<std::string> inspect_key(kms::Service& service, token::Token& token,
                                std::string_view key_id);

/// Wrapping keys of wrapped custody, and how many key materials are under each.
std::string render_wrapping_keys(const std::vector<kms::CustodyKeyStatus>& keys);

Result<std::string> render_reconcile(const kms::ReconcileReport& report);

}  // namespace keyhold::app
