#include "iam/sigv4_signer.h"

#include <vector>

#include "iam/digest.h"
#include "iam/request_date.h"
#include "iam/sigv4_stages.h"

namespace keyhold::iam {

Result<std::string> sign(const SignedRequest& request, std::string_view access_key_id,
                         const Secret& secret_access_key, std::string_view region,
                         std::string_view service) {
  const sigv4::HeaderTable headers(request.headers);
  const auto date = headers.named("x-amz-date");
  if (headers.named("host").empty() || date.empty() || !parse_basic_iso8601(date.front().value))
    return Error(ErrorCode::kValidation, "A request is signed with its Host and X-Amz-Date.");

  std::vector<std::string> names;
  for (const auto& header : headers.all()) {
    if (names.empty() || names.back() != header.name) names.push_back(header.name);
  }
  const auto claimed_hash = headers.named("x-amz-content-sha256");
  const std::string payload_hash =
      claimed_hash.empty() ? to_hex(sha256(request.body)) : std::string(claimed_hash.front().value);
  const std::string_view time = date.front().value;
  const sigv4::Scope scope{time.substr(0, 8), region, service};
  const std::string signature = sigv4::signature(
      sigv4::signing_key(secret_access_key, scope),
      sigv4::string_to_sign(
          time, scope,
          sigv4::canonical_request(request.method, request.target, headers, names, payload_hash)));
  std::string value(sigv4::kAlgorithm);
  value.append(" Credential=").append(access_key_id).append("/").append(scope.text());
  value.append(", SignedHeaders=").append(sigv4::join_names(names));
  return value.append(", Signature=").append(signature);
}

}  // namespace keyhold::iam
