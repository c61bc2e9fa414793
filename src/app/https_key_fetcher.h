// Key sets over HTTPS.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "sts/key_source.h"

namespace keyhold::app {

/// Asks with libcurl: HTTPS alone (TLS 1.2 or newer), the server's certificate and name verified,
/// no redirects, within kTimeout, no more than kMaxKeySet bytes. The environment's `https_proxy`
/// and `no_proxy` are heeded.
class HttpsKeyFetcher final : public sts::KeySetFetcher {
 public:
  static constexpr std::chrono::seconds kTimeout{5};
  static constexpr std::size_t kMaxKeySet = 256 * 1024;

  /// `authorities`: a file of PEM certificates to trust instead of the system's; empty: none.
  HttpsKeyFetcher(std::string address, std::filesystem::path authorities)
      : address_(std::move(address)), authorities_(std::move(authorities)) {}

  const std::string& address() const override { return address_; }
  Result<sts::FetchedText> fetch() override;

 private:
  const std::string address_;
  const std::filesystem::path authorities_;
};

/// The `max-age` of a Cache-Control header's value; 0 for `no-store` and `no-cache`; nothing if it
/// says nothing of this.
std::optional<std::chrono::seconds> max_age_of(std::string_view cache_control);

}  // namespace keyhold::app
