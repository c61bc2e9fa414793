#include "iam/sigv4.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "sigv4_fixture.h"
#include "vectors.h"

namespace keyhold::iam {
namespace {

using namespace test;

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

}  // namespace
}  // namespace keyhold::iam
