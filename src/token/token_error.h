// What a token's answer means to KMS.
#pragma once

#include <string_view>

#include "base/error.h"
#include "pkcs11/error.h"

namespace keyhold::token {

/// The caller is told no more than that it may try again; the token's words are in the detail.
Error unavailable(std::string_view detail);
Error internal(std::string_view detail);
Error timed_out(std::string_view detail);

/// A ciphertext that is not one of ours; AWS sends no message with it.
Error invalid_ciphertext(std::string_view detail);

/// What a Cryptoki call answered, while doing `what`.
Error to_error(const pkcs11::Error& error, std::string_view what);

/// Whether the call had no effect, for want of a session or a login: it may be made once more on
/// another session.
bool lost_before_effect(const pkcs11::Error& error);

/// Whether the token is gone, or nobody is logged in to it any more: nothing is seen of it so.
bool is_gone(const pkcs11::Error& error);

/// Whether every token may say so of a wrapped key that is none.
bool means_bad_wrapped_key(const pkcs11::Error& error);

}  // namespace keyhold::token
