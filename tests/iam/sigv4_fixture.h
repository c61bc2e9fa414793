// A request with texts of its own, and a verifier that knows its access key.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "iam/credential_snapshot.h"
#include "iam/digest.h"
#include "iam/request_date.h"
#include "iam/sigv4.h"
#include "iam/sigv4_signer.h"
#include "iam/sigv4_stages.h"
#include "vectors.h"

namespace keyhold::iam::test {

inline constexpr std::string_view kId = "AKIDEXAMPLE";
inline constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
inline constexpr std::string_view kSignedAt = "20150830T123600Z";
inline constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details.";
inline constexpr std::string_view kUnrecognized =
    "The security token included in the request is invalid.";

inline TimePoint at(std::string_view text) { return *parse_basic_iso8601(text); }

/// A request with texts of its own, so that a test can change one.
struct Request {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Content-Type", "application/x-amz-json-1.1"},
      {"Host", "localhost:8080"},
      {"X-Amz-Date", std::string(kSignedAt)},
      {"X-Amz-Target", "TrentService.GenerateRandom"}};
  std::string body = R"({"NumberOfBytes":32})";

  std::string& header(std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& each) { return each.first == name; });
    if (found == headers.end()) throw std::out_of_range(std::string(name));
    return found->second;
  }
  void remove(std::string_view name) {
    std::erase_if(headers, [&](const auto& each) { return each.first == name; });
  }

  struct Signing {
    std::string_view id = kId;
    std::string_view secret = kSecret;
    std::string_view region = "us-east-1";
    std::string_view service = "kms";
  };
  void sign(const Signing& with) {
    std::vector<Header> views;
    const auto value =
        iam::sign(view(views), with.id, Secret(with.secret), with.region, with.service);
    ASSERT_TRUE(value);
    headers.emplace_back("Authorization", *value);
  }
  void sign() { sign(Signing()); }

  /// Signs these names and the body's own hash, as no honest client would.
  void sign_over(const std::string& list) {
    std::vector<Header> views;
    const SignedRequest request = view(views);
    const sigv4::Scope scope{"20150830", "us-east-1", "kms"};
    const std::string canonical = sigv4::canonical_request(
        request.method, request.target, sigv4::HeaderTable(request.headers), split_names(list),
        to_hex(sha256(request.body)));
    const std::string signature =
        sigv4::signature(sigv4::signing_key(Secret(kSecret), scope),
                         sigv4::string_to_sign(kSignedAt, scope, canonical));
    headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=" + std::string(kId) + "/" +
                                              scope.text() + ", SignedHeaders=" + list +
                                              ", Signature=" + signature);
  }

  SignedRequest view(std::vector<Header>& views) const {
    views.clear();
    for (const auto& [name, value] : headers) views.push_back({name, value});
    return {method, target, views, as_bytes(body)};
  }
};

inline Credential credential(std::string_view id, std::string_view secret,
                             CredentialStatus status = CredentialStatus::kActive,
                             std::uint64_t generation = 1) {
  Credential made;
  made.access_key_id = id;
  made.secret_access_key = Secret(secret);
  made.principal = *parse_principal("user/admin", "000000000000");
  made.status = status;
  made.generation = generation;
  return made;
}

inline std::vector<Credential> one(Credential only) {
  std::vector<Credential> all;
  all.push_back(std::move(only));
  return all;
}

class SigV4 : public ::testing::Test {
 protected:
  Result<Caller> verify(const Request& request, TimePoint now) {
    std::vector<Header> views;
    return verifier_.verify(request.view(views), now);
  }
  Result<Caller> verify(const Request& request) { return verify(request, at(kSignedAt)); }

  void expect_refused(const Request& request, TimePoint now, ErrorCode code,
                      std::string_view text) {
    const auto caller = verify(request, now);
    ASSERT_FALSE(caller) << "verified";
    EXPECT_EQ(error_row(caller.error().code()).wire_name, error_row(code).wire_name);
    EXPECT_EQ(caller.error().message(), text);
  }
  void expect_refused(const Request& request, ErrorCode code, std::string_view text) {
    expect_refused(request, at(kSignedAt), code, text);
  }
  void expect_mismatch(const Request& request) {
    expect_refused(request, ErrorCode::kInvalidSignature, kMismatch);
  }

  CredentialSnapshot credentials_{one(credential(kId, kSecret))};
  SigV4Verifier verifier_{credentials_, RegionPolicy::any()};
};

/// The signed request of the tests that then change something.
inline Request signed_request() {
  Request request;
  request.sign();
  return request;
}

}  // namespace keyhold::iam::test
