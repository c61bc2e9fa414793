// A KMS request as an SDK sends it, signed once and good for minutes.
#pragma once

#include <string>
#include <string_view>

namespace keyhold::bench {

/// Who calls.
struct AccessKey {
  std::string id;
  std::string secret;
};

/// A signature has no nonce: the same bytes verify again and again while the server's clock is
/// within five minutes of their date, so that a load can be replayed at full speed.
std::string signed_request(const AccessKey& key, std::string_view host, std::string_view operation,
                           std::string_view body);

}  // namespace keyhold::bench
