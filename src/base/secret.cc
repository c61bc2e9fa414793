#include "base/secret.h"

#include <openssl/crypto.h>

namespace keyhold {

void wipe(void* data, std::size_t size) { OPENSSL_cleanse(data, size); }

}  // namespace keyhold
