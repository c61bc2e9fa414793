#include "iam/sigv4_stages.h"

#include <gtest/gtest.h>

#include "iam/digest.h"
#include "iam/sigv4_signer.h"
#include "vectors.h"

namespace keyhold::iam::sigv4 {
namespace {

class Stages : public testing::TestWithParam<const char*> {};

TEST_P(Stages, GiveWhatTheVectorsSay) {
  const SigV4Vectors vectors = read_vectors(GetParam());
  const auto& about = vectors.text;
  const std::string& time = about.at("time");
  const std::string day = time.substr(0, 8);
  const Scope scope{day, about.at("region"), about.at("service")};
  const Secret key = signing_key(Secret(about.at("secret_access_key")), scope);
  for (const auto& each : vectors.cases) {
    SCOPED_TRACE(each->text.at("name"));
    const auto expect_member = [&](const std::string& name, const std::string& got) {
      const auto expected = each->text.find(name);
      if (expected == each->text.end()) return;
      EXPECT_EQ(got, expected->second) << name;
    };
    const SignedRequest request = each->request();
    const std::string payload_hash = to_hex(sha256(request.body));
    expect_member("payload_sha256", payload_hash);
    expect_member("scope", scope.text());
    expect_member("signing_key", to_hex(key.view()));

    const HeaderTable headers(request.headers);
    const std::string canonical =
        canonical_request(request.method, request.target, headers,
                          split_names(each->text.at("signed_headers")), payload_hash);
    EXPECT_EQ(to_hex(sha256(as_bytes(canonical))), each->text.at("canonical_request_sha256"))
        << canonical;
    const std::string to_sign = string_to_sign(time, scope, canonical);
    EXPECT_EQ(to_sign, "AWS4-HMAC-SHA256\n" + time + "\n" + day + "/us-east-1/" +
                           about.at("service") + "/aws4_request\n" +
                           each->text.at("canonical_request_sha256"));
    EXPECT_EQ(signature(key, to_sign), each->text.at("signature"));

    const auto authorization =
        sign(request, about.at("access_key_id"), Secret(about.at("secret_access_key")),
             about.at("region"), about.at("service"));
    ASSERT_TRUE(authorization);
    EXPECT_EQ(*authorization, "AWS4-HMAC-SHA256 Credential=" + about.at("access_key_id") + "/" +
                                  scope.text() +
                                  ", SignedHeaders=" + each->text.at("signed_headers") +
                                  ", Signature=" + each->text.at("signature"));
  }
}

INSTANTIATE_TEST_SUITE_P(Vectors, Stages, testing::Values("kms.json", "suite.json"));

TEST(CanonicalPath, IsNormalisedAndEncodedASecondTime) {
  EXPECT_EQ(canonical_path("/"), "/");
  EXPECT_EQ(canonical_path(""), "/");
  EXPECT_EQ(canonical_path("/a//b/./c/../d/"), "/a/b/d/");
  EXPECT_EQ(canonical_path("/../../a"), "/a");
  EXPECT_EQ(canonical_path("/a%20b"), "/a%2520b");
  EXPECT_EQ(canonical_path("/a b*c-._~"), "/a%20b%2Ac-._~");
}

TEST(CanonicalQuery, IsSortedByEncodedNameAndThenValue) {
  EXPECT_EQ(canonical_query(""), "");
  EXPECT_EQ(canonical_query("b=2&a=1"), "a=1&b=2");
  EXPECT_EQ(canonical_query("Param-3=x&Param=y"), "Param=y&Param-3=x");
  EXPECT_EQ(canonical_query("a=2&a=1&B=0"), "B=0&a=1&a=2");
}

TEST(CanonicalQuery, AnEmptyValueKeepsItsEqualSignAndAnEmptyParameterGoes) {
  EXPECT_EQ(canonical_query("Param1="), "Param1=");
  EXPECT_EQ(canonical_query("Param1"), "Param1=");
  EXPECT_EQ(canonical_query("&a=1&&"), "a=1");
  EXPECT_EQ(canonical_query("=v"), "=v");
  EXPECT_EQ(canonical_query("a=b=c"), "a=b%3Dc");
}

TEST(CanonicalQuery, EscapesAreUpperCaseAndABlankIsNotAPlus) {
  EXPECT_EQ(canonical_query("a=%2f%7e"), "a=%2F~");
  EXPECT_EQ(canonical_query("a=x%20y+z"), "a=x%20y%2Bz");
  EXPECT_EQ(canonical_query("a=%zz%2"), "a=%25zz%252");
}

TEST(CanonicalHeaderValue, HasNoBlanksAtItsEndsAndSingleOnesInside) {
  EXPECT_EQ(canonical_header_value("  a   b \t c  "), "a b c");
  EXPECT_EQ(canonical_header_value("\"a   b\""), "\"a b\"");
  EXPECT_EQ(canonical_header_value("a\r\n b\nc"), "a b c");
  EXPECT_EQ(canonical_header_value(" \t"), "");
}

TEST(HeaderTable, FindsNamesInAnyCaseInOrderOfArrival) {
  const std::vector<Header> headers = {{"B", "1"}, {"a", "2"}, {"b", "3"}, {"Bc", "4"}};
  const HeaderTable table(headers);
  ASSERT_EQ(table.named("b").size(), 2u);
  EXPECT_EQ(table.named("b")[0].value, "1");
  EXPECT_EQ(table.named("b")[1].value, "3");
  EXPECT_TRUE(table.named("c").empty());
  EXPECT_EQ(table.all().size(), 4u);
}

TEST(HeaderTable, KeepsTheOrderOfArrivalAmongMany) {
  std::vector<std::string> values;
  for (int i = 0; i < 100; ++i) values.push_back(std::to_string(i));
  std::vector<Header> headers;
  for (const std::string& value : values) {
    headers.push_back({"X-Many", value});
    headers.push_back({"A-Other", value});
  }
  const HeaderTable table(headers);
  const auto named = table.named("x-many");
  ASSERT_EQ(named.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(named[i].value, values[i]);
}

TEST(Sign, NeedsAHostAndADate) {
  const std::vector<Header> no_date = {{"Host", "h"}};
  const std::vector<Header> no_host = {{"X-Amz-Date", "20150830T123600Z"}};
  const std::vector<Header> bad_date = {{"Host", "h"}, {"X-Amz-Date", "today"}};
  for (const auto* headers : {&no_date, &no_host, &bad_date}) {
    const auto value =
        sign({"POST", "/", *headers, {}}, "AKID", Secret(std::string_view("s")), "us-east-1");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code(), ErrorCode::kValidation);
  }
}

}  // namespace
}  // namespace keyhold::iam::sigv4
