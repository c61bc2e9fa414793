// The `aws:` global context keys.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
#pragma once

#include <string_view>

#include "iam/request.h"

namespace keyhold::iam {

/// Whether there is an `aws:` key of that name, which is in lower case, that means something here.
bool is_global_key(std::string_view name);

/// The value of any key in this request: `aws:` keys about the caller and the connection from iam's
/// own table, all others from `request.service_keys`.
ContextValue find_key(const Request& request, std::string_view name, DocumentKind kind);

}  // namespace keyhold::iam
