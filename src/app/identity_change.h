// A change of who may call, as an operator's command or a first start makes it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "iam/principal.h"

namespace keyhold::app {

/// Who gives a command: the user that runs it, as the kernel says.
struct Operator {
  uid_t uid = 0;
};

/// A change that is in the store.
struct IdentityChange {
  /// Whom it is about; none: an access key alone is known.
  std::optional<iam::Principal> principal;
  std::string access_key_id{};  ///< empty: it is about no access key
  /// Whether the next call sees it. After an error it counts from the next time that everything is
  /// loaded.
  Result<void> in_effect{};
};

}  // namespace keyhold::app
