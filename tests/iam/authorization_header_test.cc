#include "iam/authorization_header.h"

#include <gtest/gtest.h>

namespace keyhold::iam {
namespace {

constexpr std::string_view kWhole =
    "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=abc";

void expect_parts(std::string_view value) {
  const auto header = parse_authorization_header(value, DateHeader::kPresent);
  ASSERT_TRUE(header) << value << ": " << header.error().message();
  EXPECT_EQ(header->access_key_id, "AKID");
  EXPECT_EQ(header->date, "20150830");
  EXPECT_EQ(header->region, "us-east-1");
  EXPECT_EQ(header->service, "kms");
  EXPECT_EQ(header->terminator, "aws4_request");
  EXPECT_EQ(header->signed_headers, "host;x-amz-date");
  EXPECT_EQ(header->signature, "abc");
}

std::string refusal(std::string_view value, DateHeader date = DateHeader::kPresent) {
  const auto header = parse_authorization_header(value, date);
  if (header) return "taken";
  EXPECT_EQ(header.error().code(), ErrorCode::kIncompleteSignature);
  return header.error().message();
}

TEST(AuthorizationHeader, PartsComeInAnyOrderWithOrWithoutBlanks) {
  expect_parts(kWhole);
  expect_parts(
      "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request,"
      "SignedHeaders=host;x-amz-date,Signature=abc");
  expect_parts(
      "AWS4-HMAC-SHA256  Signature=abc ,\tSignedHeaders=host;x-amz-date, "
      "Credential=AKID/20150830/us-east-1/kms/aws4_request");
}

TEST(AuthorizationHeader, AllMissingPartsAreNamedInOneText) {
  EXPECT_EQ(refusal("AWS4-HMAC-SHA256", DateHeader::kAbsent),
            "Authorization header requires 'Credential' parameter. Authorization header requires "
            "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            "Authorization=AWS4-HMAC-SHA256");
  EXPECT_EQ(refusal("AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host"),
            "Authorization header requires 'Signature' parameter. "
            "Authorization=AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host");
  EXPECT_EQ(refusal(kWhole, DateHeader::kAbsent),
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            "Authorization=" +
                std::string(kWhole));
}

TEST(AuthorizationHeader, AnEmptyPartIsAMissingOne) {
  EXPECT_EQ(refusal("AWS4-HMAC-SHA256 Credential=, SignedHeaders=host, Signature=s"),
            "Authorization header requires 'Credential' parameter. Authorization=AWS4-HMAC-SHA256 "
            "Credential=, SignedHeaders=host, Signature=s");
}

TEST(AuthorizationHeader, APieceWithoutAnEqualSignIsQuoted) {
  EXPECT_EQ(refusal("AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host; x-amz-date, Signature=s"),
            "'x-amz-date' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'AWS4-HMAC-SHA256 Credential=c, SignedHeaders=host; x-amz-date, Signature=s'.");
}

TEST(AuthorizationHeader, APartGivenTwiceOrUnknownIsRefused) {
  EXPECT_NE(refusal(std::string(kWhole) + ", Signature=abd").find("more than one 'Signature'"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kWhole) + ", Region=x").find("unknown parameter 'Region'"),
            std::string::npos);
  EXPECT_NE(refusal("AWS4-HMAC-SHA256 credential=c, SignedHeaders=host, Signature=s")
                .find("unknown parameter 'credential'"),
            std::string::npos);
}

TEST(AuthorizationHeader, OtherAlgorithmsAreRefusedByName) {
  EXPECT_EQ(refusal("AWS4-ECDSA-P256-SHA256 Credential=c"),
            "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.");
  EXPECT_EQ(refusal("Bearer abc"), "Unsupported AWS 'algorithm': 'Bearer'.");
  EXPECT_EQ(refusal("aws4-hmac-sha256 Credential=c"),
            "Unsupported AWS 'algorithm': 'aws4-hmac-sha256'.");
  EXPECT_EQ(refusal(""), "Unsupported AWS 'algorithm': ''.");
}

TEST(AuthorizationHeader, ACredentialHasFiveParts) {
  for (const std::string credential :
       {"AKID", "AKID/20150830/us-east-1/kms", "AK/ID/20150830/us-east-1/kms/aws4_request"}) {
    EXPECT_EQ(
        refusal("AWS4-HMAC-SHA256 Credential=" + credential + ", SignedHeaders=host, Signature=s"),
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '" +
            credential + "'");
  }
}

TEST(AuthorizationHeader, WhatIsNotPrintableIsNotQuoted) {
  EXPECT_EQ(refusal("B\xff\x01 x"), "Unsupported AWS 'algorithm': 'B?\?'.");
}

}  // namespace
}  // namespace keyhold::iam
