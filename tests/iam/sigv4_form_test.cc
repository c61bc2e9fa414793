// What an Authorization header, a date, a scope and a list of signed headers must look like.
#include "sigv4_fixture.h"

namespace keyhold::iam {
namespace {

using namespace test;

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

}  // namespace
}  // namespace keyhold::iam
