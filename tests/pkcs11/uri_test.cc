#include "pkcs11/uri.h"

#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TokenUri, EveryAttributeIsReadAndDecoded) {
  const TokenUri uri = must(parse_token_uri(
      "pkcs11:token=key%20hold;serial=0123456789abcdef;manufacturer=SoftHSM%20project;"
      "model=SoftHSM%20v2?module-path=/usr/lib/x.so&module-name=x&pin-source=file:/run/pin"));
  EXPECT_EQ(uri.token, "key hold");
  EXPECT_EQ(uri.serial, "0123456789abcdef");
  EXPECT_EQ(uri.manufacturer, "SoftHSM project");
  EXPECT_EQ(uri.model, "SoftHSM v2");
  EXPECT_EQ(uri.module_path, "/usr/lib/x.so");
  EXPECT_EQ(uri.module_name, "x");
  EXPECT_EQ(uri.pin_source, "file:/run/pin");
}

TEST(TokenUri, WhatIsNotSaidIsEmpty) {
  const TokenUri uri = must(parse_token_uri("pkcs11:serial=1"));
  EXPECT_EQ(uri.serial, "1");
  EXPECT_EQ(uri.token, std::nullopt);
  EXPECT_EQ(uri.manufacturer, std::nullopt);
  EXPECT_EQ(uri.model, std::nullopt);
  EXPECT_EQ(uri.module_path, std::nullopt);
  EXPECT_EQ(uri.module_name, std::nullopt);
  EXPECT_EQ(uri.pin_source, std::nullopt);
}

TEST(TokenUri, LabelsOfTheFullLengthAreTaken) {
  const std::string label(32, 'x');
  EXPECT_EQ(must(parse_token_uri("pkcs11:token=" + label)).token, label);
}

TEST(TokenUri, RefusesWhatCouldMatchAnotherTokenThanMeant) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "pkcs11:"},
      {"token=x", "pkcs11:"},
      {"pkcs11:", "neither token nor serial"},
      {"pkcs11:manufacturer=x", "neither token nor serial"},
      {"pkcs11:?module-path=/x", "neither token nor serial"},
      {"pkcs11:tokne=x;serial=1", "'tokne'"},
      {"pkcs11:token=x;object=y", "'object'"},
      {"pkcs11:token=x;slot-id=1", "'slot-id'"},
      {"pkcs11:token=x;id=%01", "'id'"},
      {"pkcs11:token=x?x-vendor=1", "'x-vendor'"},
      {"pkcs11:token=x?token=x", "'token'"},
      {"pkcs11:token=x;pin-source=y", "'pin-source'"},
      {"pkcs11:token=x;token=y", "twice"},
      {"pkcs11:token=;serial=1", "empty"},
      {"pkcs11:token=%20", "blank"},
      {"pkcs11:token", "'='"},
      {"pkcs11:token=x;", "separator"},
      {"pkcs11:;token=x", "'='"},
      {"pkcs11:token=x?pin-source=y&", "separator"},
      {"pkcs11:token=a b", "blank"},
      {"pkcs11:token=a%00b", "zero byte"},
      {"pkcs11:token=a\x80", "non-ASCII"},
      {"pkcs11:token=a%zz", ""},
      {"pkcs11:token=0123456789012345678901234567890123", "longer"},
      {"pkcs11:serial=01234567890123456", "longer"},
  };
  for (const auto& [uri, why] : cases) {
    const auto parsed = parse_token_uri(uri);
    ASSERT_FALSE(parsed) << uri;
    EXPECT_EQ(parsed.error().rv(), CKR_ARGUMENTS_BAD) << uri;
    EXPECT_THAT(parsed.error().text(), HasSubstr(why)) << uri;
  }
}

TEST(TokenUri, APinValueIsRefusedAndNotRepeated) {
  const auto parsed = parse_token_uri("pkcs11:token=x?pin-value=hunter2");
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().text(), HasSubstr("pin-value"));
  EXPECT_THAT(parsed.error().text(), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace keyhold::pkcs11
