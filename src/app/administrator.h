// The principal that may do everything because the configuration says so.
#pragma once

#include <string_view>

#include "base/result.h"
#include "iam/identity.h"

namespace keyhold::app {

/// The identity of `principal` (`user/admin`) with the one policy `AdministratorAccess`, which
/// allows every action on every resource. It is what the store and the file say nothing of; a
/// definition of the same name there takes its place. kValidation if `principal` is not a user.
Result<iam::IdentityDefinition> administrator_definition(std::string_view principal,
                                                         std::string_view account);

}  // namespace keyhold::app
