#include "iam/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace keyhold::iam {
namespace {

std::string mac_of(std::string_view key, std::initializer_list<ByteView> parts) {
  Sha256 mac;
  hmac_sha256(as_bytes(key), parts, mac);
  return to_hex(mac);
}

// FIPS 180-2, appendix B.1, and the digest of nothing.
TEST(Digest, GivesTheStandardsExamples) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231, sections 4.2, 4.3 and 4.7 (a key longer than a block).
TEST(Digest, HmacGivesTheExamplesOfRfc4231) {
  EXPECT_EQ(mac_of(std::string(20, '\x0b'), {as_bytes("Hi There")}),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(mac_of("Jefe", {as_bytes("what do ya want for nothing?")}),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(mac_of(std::string(131, '\xaa'),
                   {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, HmacOfPartsIsThatOfTheWholeAndMayReplaceItsKey) {
  EXPECT_EQ(mac_of("Jefe", {as_bytes("what do ya "), {}, as_bytes("want for nothing?")}),
            mac_of("Jefe", {as_bytes("what do ya want for nothing?")}));
  Sha256 key = sha256(as_bytes("key"));
  const std::string apart = mac_of(as_text(key), {as_bytes("text")});
  hmac_sha256(key, {as_bytes("text")}, key);
  EXPECT_EQ(to_hex(key), apart);
}

}  // namespace
}  // namespace keyhold::iam
