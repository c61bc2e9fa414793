// The deployment's own key in the token: secrets at rest are sealed under it.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "store/store.h"
#include "token/token.h"

namespace keyhold::app {

/// The service key, made at the first start. A kill while it is made leaves the name it was to have
/// in the store; the next start adopts that object if it is whole, else makes another.
Result<token::Material> open_service_key(store::Store& store, token::Token& token, Random& random);

}  // namespace keyhold::app
