#include "token/softhsm.h"

#include <fstream>

#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;

class SoftHsmTest : public TokenTest {
 protected:
  Result<std::vector<std::string>> prepare() {
    return prepare_softhsm(
        {folder_.path().string(), kSoftHsm, "keyhold", Secret("so-pin-1234"), Secret(kPin)});
  }
};

TEST_F(SoftHsmTest, PreparingAgainKeepsTheTokenAndItsKeys) {
  open();
  const Material material = generate();
  const std::string serial = token_->identity().serial;
  close();
  ASSERT_TRUE(prepare());
  open();
  EXPECT_EQ(token_->identity().serial, serial);
  EXPECT_TRUE(token_->check_material(material));
}

TEST_F(SoftHsmTest, ATokenThatAKillLeftHalfMadeIsMadeAgain) {
  fs::remove(folder_.path() / "token-made");
  for (const auto& entry : fs::recursive_directory_iterator(token_folder())) {
    fs::resize_file(entry.path(), 0);
  }
  const auto prepared = prepare();
  ASSERT_TRUE(prepared) << why(prepared);
  open();
  EXPECT_TRUE(token_->check());
}

TEST_F(SoftHsmTest, WhatWasInUseIsNeverMadeAgain) {
  open();
  generate();
  close();
  std::ofstream(token_folder() / "token.object", std::ios::trunc).close();
  ASSERT_TRUE(prepare());
  EXPECT_EQ(fs::file_size(token_folder() / "token.object"), 0U);
}

TEST_F(SoftHsmTest, NobodyElseMayLookIntoTheFolder) {
  EXPECT_EQ(fs::status(folder_.path()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(tokens()).permissions(), fs::perms::owner_all);
}

TEST_F(SoftHsmTest, ARelativeFolderIsRefused) {
  EXPECT_FALSE(prepare_softhsm({"tokens", kSoftHsm, "keyhold", Secret("1234"), Secret("1234")}));
}

TEST_F(SoftHsmTest, AnEmptiedTokenObjectIsPutBackAndItsKeysAreThere) {
  open();
  const Material material = generate();
  close();
  std::ofstream(token_folder() / "token.object", std::ios::trunc).close();
  ASSERT_EQ(fs::file_size(token_folder() / "token.object"), 0U);
  open();
  EXPECT_TRUE(token_->check_material(material));
}

TEST_F(SoftHsmTest, AnEmptiedTokenObjectWithoutACopyIsRefusedAndNotTakenForANewToken) {
  open();
  close();
  const fs::path token = token_folder();
  fs::remove(token.string() + ".token-object");
  std::ofstream(token / "token.object", std::ios::trunc).close();
  const auto opened = Pkcs11Token::open(profile(), Secret(kPin), clock_, random_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail().find("no copy"), std::string::npos) << why(opened);
}

TEST_F(SoftHsmTest, AnEmptiedTokenObjectIsNoTokenWhereNoCopyIsKept) {
  open();
  close();
  std::ofstream(token_folder() / "token.object", std::ios::trunc).close();
  const auto opened = Pkcs11Token::open(profile({"storage.keep_token_object_copy=false"}),
                                        Secret(kPin), clock_, random_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kKeyUnavailable);
}

TEST_F(SoftHsmTest, AWrongPinIsAnErrorThatDoesNotShowIt) {
  const auto opened = Pkcs11Token::open(profile(), Secret("wrong-pin-77"), clock_, random_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_NE(opened.error().detail().find("PIN"), std::string::npos) << why(opened);
  EXPECT_EQ(why(opened).find("wrong-pin-77"), std::string::npos);
}

TEST_F(SoftHsmTest, ATokenOfAnotherLabelOrSerialIsNotTaken) {
  for (const char* line : {"token.label=other", "token.serial=0000"}) {
    const auto opened = Pkcs11Token::open(profile({line}), Secret(kPin), clock_, random_);
    ASSERT_FALSE(opened) << line;
    EXPECT_EQ(opened.error().code(), ErrorCode::kKeyUnavailable);
  }
  open();
  const std::string serial = token_->identity().serial;
  close();
  open({"token.serial='" + serial + "'"});
}

TEST_F(SoftHsmTest, AModuleThatIsNotThereIsAnError) {
  const auto opened =
      Pkcs11Token::open(profile({"module.path=/nowhere/lib.so"}), Secret(kPin), clock_, random_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail().find("/nowhere/lib.so"), std::string::npos) << why(opened);
}

}  // namespace
}  // namespace keyhold::token::test
