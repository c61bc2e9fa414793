#include "signed_request.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <ctime>

#include "base/bytes.h"

namespace keyhold::bench {
namespace {

constexpr std::string_view kRegion = "us-east-1";
constexpr std::string_view kContentType = "application/x-amz-json-1.1";
constexpr std::string_view kSignedHeaders = "content-type;host;x-amz-date;x-amz-target";

std::string sha256(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return to_hex(digest);
}

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, 32> code{};
  unsigned int size = code.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return {reinterpret_cast<const char*>(code.data()), code.size()};
}

std::string basic_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return {text.data(), size};
}

}  // namespace

std::string signed_request(const AccessKey& key, std::string_view host, std::string_view operation,
                           std::string_view body) {
  const std::string date = basic_date();
  const std::string target = "TrentService." + std::string(operation);
  const std::string canonical = "POST\n/\n\ncontent-type:" + std::string(kContentType) +
                                "\nhost:" + std::string(host) + "\nx-amz-date:" + date +
                                "\nx-amz-target:" + target + "\n\n" + std::string(kSignedHeaders) +
                                "\n" + sha256(body);
  const std::string day = date.substr(0, 8);
  const std::string scope = day + "/" + std::string(kRegion) + "/kms/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(canonical);
  std::string signing_key = "AWS4" + key.secret;
  for (const std::string_view part : {std::string_view(day), kRegion, std::string_view("kms"),
                                      std::string_view("aws4_request")}) {
    signing_key = hmac(signing_key, part);
  }
  const std::string code = hmac(signing_key, to_sign);
  const std::string signature = to_hex(as_bytes(code));

  return "POST / HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nAccept-Encoding: identity\r\nX-Amz-Target: " + target +
         "\r\nContent-Type: " + std::string(kContentType) +
         "\r\nUser-Agent: aws-cli/2.15 botocore/2.4 md/installer#exe\r\nX-Amz-Date: " + date +
         "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + key.id + "/" + scope +
         ", SignedHeaders=" + std::string(kSignedHeaders) + ", Signature=" + signature +
         "\r\namz-sdk-invocation-id: 7f1d1f43-5c57-4c3e-a1b9-3c2f60f1a0aa\r\namz-sdk-request: "
         "attempt=1\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace keyhold::bench
