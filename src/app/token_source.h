// Which token a configuration means, and how it is reached.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "base/result.h"
#include "base/secret.h"
#include "token/pkcs11_token.h"
#include "token/profile.h"

namespace keyhold::app {

/// The profile with everything that the configuration says over it. kValidation with a sentence.
Result<token::Profile> read_token_profile(const Config& config);

/// The PIN, from where the configuration or its `pkcs11:` URI says.
Result<Secret> read_token_pin(const Config& config);

/// Whether read_token_pin() would succeed; nothing is taken away. No PIN is needed yet where
/// `keyhold init` makes both token and PIN.
Result<void> check_token_pin(const Config& config);

/// Opens the token for a process that cannot do without it, or a service that waits for it:
/// kValidation with a sentence, for trying again would change nothing, and a PIN that was refused
/// must not be tried again.
Result<std::unique_ptr<token::Pkcs11Token>> open_token(
    const token::Profile& profile, Secret pin, const Clock& clock, Random& random,
    token::WhenAbsent when_absent = token::WhenAbsent::kRefuse);

/// What came of making or opening a token, in the operator's words.
Error unusable_token(const Error& error);

/// The label of a token that the service makes for itself.
inline constexpr std::string_view kTokenLabel = "keyhold";

}  // namespace keyhold::app
