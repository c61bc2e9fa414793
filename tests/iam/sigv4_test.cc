#include "iam/sigv4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "iam/credential_snapshot.h"
#include "iam/digest.h"
#include "iam/request_date.h"
#include "iam/sigv4_signer.h"
#include "iam/sigv4_stages.h"
#include "vectors.h"

namespace keyhold::iam {
namespace {

constexpr std::string_view kId = "AKIDEXAMPLE";
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
constexpr std::string_view kSignedAt = "20150830T123600Z";
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details.";
constexpr std::string_view kUnrecognized = "The security token included in the request is invalid.";

TimePoint at(std::string_view text) { return *parse_basic_iso8601(text); }

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

Credential credential(std::string_view id, std::string_view secret,
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

std::vector<Credential> one(Credential only) {
  std::vector<Credential> all;
  all.push_back(std::move(only));
  return all;
}

class SigV4 : public testing::Test {
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
Request signed_request() {
  Request request;
  request.sign();
  return request;
}

TEST_F(SigV4, TheKmsVectorVerifies) {
  const SigV4Vectors vectors = read_vectors("kms.json");
  for (const auto& each : vectors.cases) {
    const std::string authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" +
                                      each->text.at("scope") +
                                      ", SignedHeaders=" + each->text.at("signed_headers") +
                                      ", Signature=" + each->text.at("signature");
    std::vector<Header> headers = each->headers;
    headers.push_back({"Authorization", authorization});
    SignedRequest request = each->request();
    request.headers = headers;
    const auto caller = verifier_.verify(request, at(vectors.text.at("time")));
    ASSERT_TRUE(caller) << caller.error().message();
    EXPECT_EQ(caller->credential->access_key_id, kId);
    EXPECT_EQ(caller->credential->principal.arn, "arn:aws:iam::000000000000:user/admin");
    EXPECT_EQ(caller->region, "us-east-1");
    EXPECT_EQ(caller->signed_headers, each->text.at("signed_headers"));
    EXPECT_EQ(caller->signed_at, at(vectors.text.at("time")));
  }
}

TEST_F(SigV4, AVerifierForAnotherServiceTakesTheSuitesRequests) {
  const SigV4Verifier verifier(credentials_, RegionPolicy::any(), "service");
  const SigV4Vectors vectors = read_vectors("suite.json");
  int verified = 0;
  for (const auto& each : vectors.cases) {
    const std::string authorization =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=" +
        each->text.at("signed_headers") + ", Signature=" + each->text.at("signature");
    std::vector<Header> headers = each->headers;
    headers.insert(headers.begin(), {"authorization", authorization});
    SignedRequest request = each->request();
    request.headers = headers;
    const auto caller = verifier.verify(request, at(vectors.text.at("time")));
    if (each->text.at("name") == "post-sts-header-before") {
      ASSERT_FALSE(caller);
      EXPECT_EQ(caller.error().message(), kUnrecognized);
      continue;
    }
    EXPECT_TRUE(caller) << each->text.at("name") << ": " << caller.error().message();
    ++verified;
  }
  EXPECT_GT(verified, 10);
}

// Header syntax.

TEST_F(SigV4, NoAuthenticationAtAllIsMissing) {
  expect_refused(Request(), ErrorCode::kMissingAuthenticationToken, "Missing Authentication Token");
  Request with_query;
  with_query.target = "/?Action=x";
  expect_refused(with_query, ErrorCode::kMissingAuthenticationToken,
                 "Missing Authentication Token");
}

TEST_F(SigV4, MissingPartsAndAMissingDateAreOneText) {
  Request request;
  request.remove("X-Amz-Date");
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 SignedHeaders=host");
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "Authorization header requires 'Credential' parameter. Authorization header "
                 "requires 'Signature' parameter. Authorization header requires existence of "
                 "either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 "
                 "SignedHeaders=host");
}

TEST_F(SigV4, APieceWithoutAnEqualSignIsIncomplete) {
  Request request;
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 piece");
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "'piece' not a valid key=value pair (missing equal-sign) in Authorization header: "
                 "'AWS4-HMAC-SHA256 piece'.");
}

TEST_F(SigV4, ACredentialOfFourPartsIsIncomplete) {
  Request request;
  request.headers.emplace_back(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms, SignedHeaders=host, Signature=s");
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "Credential must have exactly 5 slash-delimited elements, e.g. "
                 "keyid/date/region/service/term, got 'AKID/20150830/us-east-1/kms'");
}

TEST_F(SigV4, AnotherAlgorithmIsUnsupported) {
  Request request = signed_request();
  std::string& value = request.header("Authorization");
  value.replace(0, value.find(' '), "AWS4-ECDSA-P256-SHA256");
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.");
}

TEST_F(SigV4, APresignedQueryIsAnAuthenticationErrorOfItsOwn) {
  for (const std::string parameter :
       {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=AKID", "X-Amz-Signature=abc",
        "x-amz-security-token=abc", "X%2DAmz-Expires=60", "X-Amz-SignedHeaders=host"}) {
    Request request;
    request.target = "/?Action=x&" + parameter;
    expect_refused(request, ErrorCode::kIncompleteSignature,
                   "Presigned requests are not supported. Sign the request in its Authorization "
                   "header.");
    request.sign();
    ASSERT_FALSE(verify(request)) << "with a header besides";
  }
}

TEST_F(SigV4, HeadersThatDecideMustNotComeTwice) {
  for (const std::string name : {"Authorization", "Host", "X-Amz-Date", "X-Amz-Target"}) {
    Request request = signed_request();
    request.headers.emplace_back(name, request.header(name));
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    expect_refused(request, ErrorCode::kIncompleteSignature,
                   "Request has more than one '" + lower + "' header.");
  }
  // Signed or not, in whatever case.
  for (const std::string name :
       {"x-amz-security-token", "X-Amz-Content-Sha256", "DATE", "x-amz-target", "host"}) {
    Request request;
    request.headers.emplace_back(name, "value");
    request.headers.emplace_back(name, "value");
    request.sign();
    const auto caller = verify(request);
    ASSERT_FALSE(caller) << name;
    EXPECT_EQ(caller.error().code(), ErrorCode::kIncompleteSignature) << name;
  }
}

// Date syntax.

TEST_F(SigV4, ADateThatIsNoneIsQuoted) {
  Request request = signed_request();
  request.header("X-Amz-Date") = "20184022T211305Z";
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "Date must be in ISO-8601 'basic format'. Got '20184022T211305Z'. See "
                 "http://en.wikipedia.org/wiki/ISO_8601");
}

TEST_F(SigV4, TheDateHeaderServesWhereXAmzDateIsAbsent) {
  Request request = signed_request();
  // Signed over X-Amz-Date, so the signature fails; but only after the date was read.
  request.remove("X-Amz-Date");
  request.headers.emplace_back("Date", "Sun, 30 Aug 2015 12:36:00 GMT");
  expect_mismatch(request);
  request.header("Date") = "Sun, 30 Aug 2015 12:30:00 GMT";
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Signature expired: 20150830T123000Z is now earlier than 20150830T123100Z "
                 "(20150830T123600Z - 5 min.)");
  request.header("Date") = "yesterday";
  expect_refused(request, ErrorCode::kIncompleteSignature,
                 "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See "
                 "http://en.wikipedia.org/wiki/ISO_8601");
}

// Scope.

TEST_F(SigV4, AScopeOfAnotherDayNamesBothDays) {
  Request request = signed_request();
  std::string& value = request.header("Authorization");
  value.replace(value.find("20150830"), 8, "20150829");
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                 "from HTTP: '20150829' != '20150830', from '20150830T123600Z'.");
}

TEST_F(SigV4, ARegionThatIsNoneIsRefused) {
  Request request;
  request.sign({.region = "US_EAST_1"});
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Credential should be scoped to a valid region, not 'US_EAST_1'. ");
}

TEST_F(SigV4, OnlyListedRegionsAreServedWhereTheyAreListed) {
  const SigV4Verifier verifier(credentials_, RegionPolicy::one_of({"eu-west-1"}));
  Request request = signed_request();
  std::vector<Header> views;
  const auto caller = verifier.verify(request.view(views), at(kSignedAt));
  ASSERT_FALSE(caller);
  EXPECT_EQ(caller.error().code(), ErrorCode::kInvalidSignature);
  EXPECT_EQ(caller.error().message(),
            "Credential should be scoped to a valid region, not 'us-east-1'. ");
  Request listed;
  listed.sign({.region = "eu-west-1"});
  EXPECT_TRUE(verifier.verify(listed.view(views), at(kSignedAt)));
}

TEST_F(SigV4, AnotherServicesScopeIsRefused) {
  Request request;
  request.sign({.service = "dynamodb"});
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Credential should be scoped to correct service: 'kms'. ");
}

TEST_F(SigV4, AnotherTerminatorIsRefused) {
  Request request = signed_request();
  std::string& value = request.header("Authorization");
  value.replace(value.find("aws4_request"), 12, "aws5_request");
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Credential should be scoped with a valid terminator: 'aws4_request', not "
                 "'aws5_request'. ");
}

TEST_F(SigV4, FaultsOfTheScopeAreJoined) {
  Request request;
  request.headers.emplace_back("Authorization",
                               "AWS4-HMAC-SHA256 Credential=AKID/20150830/US/sqs/aws4_request, "
                               "SignedHeaders=x, Signature=s");
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Credential should be scoped to a valid region, not 'US'. Credential should be "
                 "scoped to correct service: 'kms'. ");
  request.header("Authorization") =
      "AWS4-HMAC-SHA256 Credential=AKID/20150829/US/sqs/x, SignedHeaders=x, Signature=s";
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                 "from HTTP: '20150829' != '20150830', from '20150830T123600Z'. Credential should "
                 "be scoped to a valid region, not 'US'. Credential should be scoped to correct "
                 "service: 'kms'. Credential should be scoped with a valid terminator: "
                 "'aws4_request', not 'x'. ");
}

// Signed headers.

TEST_F(SigV4, HostMustBeSigned) {
  Request request;
  request.remove("Host");
  request.headers.emplace_back("Authorization",
                               "AWS4-HMAC-SHA256 "
                               "Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request, "
                               "SignedHeaders=x-amz-date;x-amz-target, Signature=s");
  request.headers.emplace_back("Host", "localhost:8080");
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
}

TEST_F(SigV4, EveryXAmzHeaderThatIsThereMustBeSigned) {
  for (const std::string name : {"X-Amz-Target", "x-amz-security-token", "X-AMZ-ANYTHING"}) {
    Request request;
    request.remove(name);
    request.sign();
    request.headers.emplace_back(name, "TrentService.ScheduleKeyDeletion");
    const std::string lower = name == "X-Amz-Target"     ? "x-amz-target"
                              : name == "X-AMZ-ANYTHING" ? "x-amz-anything"
                                                         : name;
    expect_refused(request, ErrorCode::kInvalidSignature,
                   "'" + lower + "' must be a 'SignedHeader' in the AWS Authorization.");
  }
}

TEST_F(SigV4, AnUnsignedXAmzDateIsRefused) {
  Request request = signed_request();
  std::string& value = request.header("Authorization");
  const std::string list = "host;x-amz-date;";
  value.replace(value.find(list), list.size(), "host;");
  expect_refused(request, ErrorCode::kInvalidSignature,
                 "'x-amz-date' must be a 'SignedHeader' in the AWS Authorization.");
}

TEST_F(SigV4, AListedHeaderThatIsAbsentIsAMismatch) {
  Request request;
  request.headers.emplace_back("X-Extra", "");
  request.sign();
  EXPECT_TRUE(verify(request));
  request.remove("X-Extra");
  expect_mismatch(request);
}

TEST_F(SigV4, AHeaderListedTwiceOrWithoutANameIsAMismatch) {
  for (const std::string list : {"host;host;", "host;;", ";host;"}) {
    Request request = signed_request();
    std::string& value = request.header("Authorization");
    value.replace(value.find("host;"), 5, list);
    expect_mismatch(request);
  }
}

TEST_F(SigV4, ANameListedTwiceIsAMismatchEvenWhereItWasSignedSo) {
  Request request;
  request.sign_over("content-type;host;host;x-amz-date;x-amz-target");
  expect_mismatch(request);
}

TEST_F(SigV4, UnsignedHeadersOfOthersAreNobodysBusiness) {
  Request request = signed_request();
  request.headers.emplace_back("User-Agent", "curl");
  request.headers.emplace_back("X-Amzn-Trace-Id", "Root=1");
  EXPECT_TRUE(verify(request));
}

// The clock.

TEST_F(SigV4, FiveMinutesEitherWayAreInTheWindow) {
  const Request request = signed_request();
  EXPECT_TRUE(verify(request, at("20150830T124100Z")));
  EXPECT_TRUE(verify(request, at("20150830T123100Z")));
  EXPECT_TRUE(verify(request, at("20150830T124100Z") + milliseconds(999)));
}

TEST_F(SigV4, TemporaryCredentialsEndAtTheirInstant) {
  /// One session, which a token of that name holds.
  class Sessions final : public CredentialSource {
   public:
    std::shared_ptr<const Credential> find(std::string_view) const override { return nullptr; }
    std::shared_ptr<const Credential> find_temporary(std::string_view id,
                                                     std::string_view token) const override {
      if (id != kId || token != "token") return nullptr;
      auto made = std::make_shared<Credential>(credential(kId, kSecret));
      made->session = Session{at("20150830T113700Z"), at("20150830T123700Z"), {}};
      return made;
    }
  };
  const Sessions sessions;
  SigV4Verifier verifier(sessions, RegionPolicy::any());
  const auto verify_at = [&](const Request& request, TimePoint now) {
    std::vector<Header> views;
    return verifier.verify(request.view(views), now);
  };
  Request request;
  request.headers.emplace_back("X-Amz-Security-Token", "token");
  request.sign();
  EXPECT_TRUE(verify_at(request, at("20150830T123700Z") - milliseconds(1)));
  const auto expired = verify_at(request, at("20150830T123700Z"));
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code(), ErrorCode::kExpiredToken);
  EXPECT_EQ(expired.error().message(), "The security token included in the request is expired");
  // Who cannot sign with it is not told that it was ever good.
  request.body = "{}";
  const auto forged = verify_at(request, at("20150830T123700Z"));
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().code(), ErrorCode::kInvalidSignature);
}

TEST_F(SigV4, OneSecondMoreIsExpiredOrNotYetCurrent) {
  const Request request = signed_request();
  expect_refused(request, at("20150830T124101Z"), ErrorCode::kInvalidSignature,
                 "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
                 "(20150830T124101Z - 5 min.)");
  expect_refused(request, at("20150830T123059Z"), ErrorCode::kInvalidSignature,
                 "Signature not yet current: 20150830T123600Z is still later than "
                 "20150830T123559Z (20150830T123059Z + 5 min.)");
  expect_refused(request, at("20150830T123059Z") + milliseconds(999), ErrorCode::kInvalidSignature,
                 "Signature not yet current: 20150830T123600Z is still later than "
                 "20150830T123559Z (20150830T123059Z + 5 min.)");
}

// Access keys.

TEST_F(SigV4, AnUnknownAccessKeyIsUnrecognized) {
  Request request;
  request.sign({.id = "AKIDUNKNOWN"});
  expect_refused(request, ErrorCode::kUnrecognizedClient, kUnrecognized);
}

TEST_F(SigV4, ADisabledAccessKeyIsUnrecognizedEvenWithTheRightSignature) {
  const Request request = signed_request();
  EXPECT_TRUE(verify(request));
  credentials_.replace(one(credential(kId, kSecret, CredentialStatus::kDisabled, 2)));
  expect_refused(request, ErrorCode::kUnrecognizedClient, kUnrecognized);
}

TEST_F(SigV4, ASecurityTokenWithALongTermKeyIsUnrecognized) {
  for (const std::string token : {"token", ""}) {
    Request request;
    request.headers.emplace_back("X-Amz-Security-Token", token);
    request.sign();
    expect_refused(request, ErrorCode::kUnrecognizedClient, kUnrecognized);
  }
}

// The signature.

TEST_F(SigV4, TheWrongSecretIsAMismatch) {
  Request request;
  request.sign({.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ"});
  expect_mismatch(request);
}

TEST_F(SigV4, EveryChangeOfASignedHeaderIsAMismatch) {
  Request original;
  original.headers.emplace_back("X-Amz-Meta", "a  b");
  original.headers.emplace_back("Content-Length", "20");
  original.sign();
  EXPECT_TRUE(verify(original));
  for (const auto& [name, value] : original.headers) {
    if (name == "Authorization" || name == "X-Amz-Date") continue;
    for (std::size_t i = 0; i < value.size(); ++i) {
      Request changed = original;
      changed.header(name)[i] = value[i] == 'x' ? 'y' : 'x';
      SCOPED_TRACE(changed.header(name));
      expect_mismatch(changed);
    }
    Request longer = original;
    longer.header(name) += "x";
    expect_mismatch(longer);
  }
  Request later = original;
  later.header("X-Amz-Date") = "20150830T123601Z";
  expect_mismatch(later);
}

TEST_F(SigV4, EveryChangeOfTheBodyIsAMismatch) {
  const Request original = signed_request();
  for (std::size_t i = 0; i < original.body.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Request changed = original;
      changed.body[i] = static_cast<char>(changed.body[i] ^ (1 << bit));
      expect_mismatch(changed);
    }
  }
  for (const std::string& body : {std::string(), original.body + " "}) {
    Request changed = original;
    changed.body = body;
    expect_mismatch(changed);
  }
}

TEST_F(SigV4, AnotherMethodOrTargetIsAMismatch) {
  for (const std::string target : {"/x", "/?a=1", "/?"}) {
    Request changed = signed_request();
    changed.target = target;
    if (target == "/?") {
      EXPECT_TRUE(verify(changed)) << "an empty query is no query";
    } else {
      expect_mismatch(changed);
    }
  }
  for (const std::string method : {"GET", "post", ""}) {
    Request changed = signed_request();
    changed.method = method;
    expect_mismatch(changed);
  }
}

TEST_F(SigV4, ASecondValueOfASignedHeaderIsAMismatch) {
  Request changed = signed_request();
  changed.headers.emplace_back("content-type", "text/plain");
  expect_mismatch(changed);
}

TEST_F(SigV4, ASignatureIsLowerCaseHexToTheLastDigit) {
  const Request original = signed_request();
  const std::string mark = "Signature=";
  const std::size_t start = original.headers.back().second.find(mark) + mark.size();
  for (std::size_t i = start; i < start + 64; ++i) {
    Request changed = original;
    char& digit = changed.header("Authorization")[i];
    digit = digit == '0' ? '1' : '0';
    expect_mismatch(changed);
    if (std::isalpha(static_cast<unsigned char>(original.headers.back().second[i]))) {
      Request upper = original;
      upper.header("Authorization")[i] = static_cast<char>(
          std::toupper(static_cast<unsigned char>(original.headers.back().second[i])));
      expect_mismatch(upper);
    }
  }
  Request shorter = original;
  shorter.header("Authorization").pop_back();
  expect_mismatch(shorter);
  Request longer = original;
  longer.header("Authorization") += '0';
  expect_mismatch(longer);
}

TEST_F(SigV4, ASignatureIsGoodForItsRegionAlone) {
  Request request = signed_request();
  std::string& value = request.header("Authorization");
  value.replace(value.find("us-east-1"), 9, "us-east-2");
  expect_mismatch(request);
}

TEST_F(SigV4, AClaimedBodyHashMustBeTheBodys) {
  Request honest;
  honest.headers.emplace_back("X-Amz-Content-Sha256",
                              "b386e4217667b85b62d23d3751c5cd6ec17da520661d3785147076dbc373761c");
  honest.sign();
  EXPECT_TRUE(verify(honest));

  for (const std::string claim :
       {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "B386E4217667B85B62D23D3751C5CD6EC17DA520661D3785147076DBC373761C"}) {
    Request request;
    request.headers.emplace_back("X-Amz-Content-Sha256", claim);
    request.sign();  // the signature itself is right for the claim
    SCOPED_TRACE(claim);
    expect_mismatch(request);
  }

  // Signed over the false claim and the true hash, so that the comparison alone refuses it.
  Request false_claim;
  false_claim.headers.emplace_back("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
  false_claim.sign_over("content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target");
  expect_mismatch(false_claim);
}

// What is checked first.

TEST_F(SigV4, EachCheckComesBeforeTheNext) {
  // Everything is wrong; each step mends the fault that was answered.
  Request request;
  request.headers = {{"Host", "h"}, {"X-Amz-Date", "bad"}, {"X-Amz-Target", "t"}};
  const TimePoint now = at("20150830T130000Z");
  const auto code_and_text = [&] {
    const auto caller = verify(request, now);
    return caller ? "verified" : caller.error().message();
  };
  EXPECT_EQ(code_and_text(), "Missing Authentication Token");

  request.headers.emplace_back("Authorization",
                               "AWS4-HMAC-SHA256 Credential=AKIDUNKNOWN/20150101/US/sqs/x, "
                               "SignedHeaders=y");
  EXPECT_EQ(code_and_text().substr(0, 44), "Authorization header requires 'Signature' pa");
  request.header("Authorization") += ", Signature=z";
  EXPECT_EQ(code_and_text().substr(0, 12), "Date must be");
  request.header("X-Amz-Date") = kSignedAt;
  EXPECT_EQ(code_and_text().substr(0, 24), "Date in Credential scope");
  request.header("Authorization") =
      "AWS4-HMAC-SHA256 Credential=AKIDUNKNOWN/20150830/us-east-1/kms/aws4_request, "
      "SignedHeaders=y, Signature=z";
  EXPECT_EQ(code_and_text().substr(0, 6), "'Host'");
  std::string& value = request.header("Authorization");
  value.replace(value.find("=y"), 2, "=host");
  EXPECT_EQ(code_and_text().substr(0, 13), "'x-amz-date' ");
  value.replace(value.find("=host"), 5, "=host;x-amz-date;x-amz-target");
  EXPECT_EQ(code_and_text().substr(0, 18), "Signature expired:");
  request.header("X-Amz-Date") = "20150830T130000Z";
  EXPECT_EQ(code_and_text(), kUnrecognized);
  value.replace(value.find("AKIDUNKNOWN"), 11, kId);
  EXPECT_EQ(code_and_text(), kMismatch);
  request.remove("Authorization");
  request.sign();
  EXPECT_EQ(code_and_text(), "verified");
}

// Signing keys.

TEST_F(SigV4, OnlyAVerifiedRequestLeavesASigningKey) {
  Request wrong = signed_request();
  wrong.body += " ";
  EXPECT_FALSE(verify(wrong));
  Request unknown;
  unknown.sign({.id = "AKIDUNKNOWN"});
  EXPECT_FALSE(verify(unknown));
  EXPECT_EQ(verifier_.cached_signing_keys(), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(verify(signed_request()));
  EXPECT_EQ(verifier_.cached_signing_keys(), 1u);
  expect_mismatch(wrong);
}

TEST_F(SigV4, AChangedSecretInvalidatesTheOldOneAtOnce) {
  const Request old_request = signed_request();
  EXPECT_TRUE(verify(old_request));
  const std::string new_secret = "another/secret/another/secret/another/s";
  credentials_.replace(one(credential(kId, new_secret, CredentialStatus::kActive, 2)));
  expect_mismatch(old_request);
  Request new_request;
  new_request.sign({.secret = new_secret});
  EXPECT_TRUE(verify(new_request));
}

TEST_F(SigV4, RevocationDropsTheSigningKeys) {
  EXPECT_TRUE(verify(signed_request()));
  Request elsewhere;
  elsewhere.sign({.region = "eu-west-1"});
  EXPECT_TRUE(verify(elsewhere));
  std::thread([&] { EXPECT_TRUE(verify(signed_request())); }).join();
  EXPECT_EQ(verifier_.cached_signing_keys(), 3u);
  credentials_.replace({});
  verifier_.forget(kId);
  EXPECT_EQ(verifier_.cached_signing_keys(), 0u);
  expect_refused(signed_request(), ErrorCode::kUnrecognizedClient, kUnrecognized);
}

TEST_F(SigV4, ManyThreadsVerifyWhileCredentialsAreReplaced) {
  const Request request = signed_request();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Request wrong = request;
      wrong.body += " ";
      for (int n = 0; n < 500; ++n) {
        ASSERT_TRUE(verify(request));
        ASSERT_FALSE(verify(wrong));
      }
    });
  }
  for (std::uint64_t generation = 2; generation < 200; ++generation) {
    credentials_.replace(one(credential(kId, kSecret, CredentialStatus::kActive, generation)));
    verifier_.forget(kId);
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyhold::iam
