// Errors as callers read them.
#pragma once

#include "base/error.h"
#include "base/secret.h"

namespace keyhold::api {

/// `{"__type":"NotFoundException","message":"…"}`: without a member for the text where there is
/// none, and with AWS's capital `Message` for AccessDeniedException. A Secret because answers are.
Secret error_body(const Error& error);

}  // namespace keyhold::api
