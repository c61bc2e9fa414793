// Why a call would be allowed or refused: the authorizer's own decision on a question in words.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "iam/identity_directory.h"
#include "kms/service.h"

namespace keyhold::app {

/// The question is an object with the members `principal` (the ARN of a user, of root or of a
/// session), `action` (`kms:Encrypt`), and, where they matter, `key` (an id, an ARN or an alias),
/// `region`, `sourceIp` and `context` (an object: the encryption context).
///
/// Answers an object with `decision` (`allowed` or `denied`), `reason` and, if denied, AWS's
/// `message`. kValidation with a sentence for a question that cannot be asked; nothing is changed.
Result<std::string> explain_policy(kms::Service& service, const iam::IdentityDirectory& identities,
                                   const Clock& clock, const json::Value& question);

/// Whether a policy may name this context key, which is in lower case: those of KMS and STS are
/// known here; other services' statements are theirs, and providers' keys bear the issuer's name.
bool knows_condition_key(std::string_view name);

}  // namespace keyhold::app
