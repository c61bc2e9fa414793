// An operator's command that writes what the service reads.
#pragma once

#include <string>

#include "base/result.h"

namespace keyhold::app {

/// Of root alone: becomes, for good, the user to whom the folder belongs, with that user's groups,
/// so that nothing made from here on is root's. Nothing happens where the folder is not there or is
/// root's. kValidation with a sentence if it cannot be done.
Result<void> become_owner_of(const std::string& folder);

}  // namespace keyhold::app
