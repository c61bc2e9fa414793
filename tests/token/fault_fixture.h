// SoftHSM behind the fault module, with a message under way.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_files.h"
#include "token_fixture.h"

namespace keyhold::token::test {

using keyhold::test::FaultFiles;
using std::chrono::steady_clock;

class FaultTest : public TokenTest {
 protected:
  void SetUp() override {
    files_.set_script("");
    TokenTest::SetUp();
    open(kFast);
    material_ = generate();
    auto key = token_->encryption_key(material_);
    ASSERT_TRUE(key) << why(key);
    key_ = *key;
    auto ciphertext = encrypt();
    ASSERT_TRUE(ciphertext) << why(ciphertext);
    ciphertext_ = *ciphertext;
    files_.forget_calls();
  }
  void TearDown() override {
    files_.set_script("");
    TokenTest::TearDown();
  }
  std::string module_path() const override { return keyhold::test::fault_module(); }

  Result<Bytes> encrypt() {
    return token_->encrypt(*key_, iv_, as_bytes("aad"), as_bytes("plaintext"));
  }
  Result<Secret> decrypt(ByteView ciphertext) {
    return token_->decrypt(*key_, iv_, as_bytes("aad"), ciphertext);
  }
  Bytes damaged() const {
    Bytes copy = ciphertext_;
    copy[0] ^= 1;
    return copy;
  }
  bool healthy_within(std::chrono::milliseconds patience) {
    const auto deadline = steady_clock::now() + patience;
    while (steady_clock::now() < deadline) {
      if (token_->check()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  template <typename Condition>
  bool eventually(const Condition& holds) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (steady_clock::now() < deadline) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  /// Another token of the same label in the same folder, made by another process.
  void make_second_token() {
    const std::string command =
        "SOFTHSM2_CONF=" + (folder_.path() / "softhsm2.conf").string() +
        " softhsm2-util --init-token --free --label keyhold --so-pin 5678 --pin 1234 >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  void expect_whole() {
    EXPECT_TRUE(healthy_within(std::chrono::seconds(20)));
    const auto opened = decrypt(ciphertext_);
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(opened->text(), "plaintext");
    EXPECT_TRUE(token_->check_material(material_));
    const auto key = token_->decryption_key(material_, key_->salt(), key_->header_tag());
    ASSERT_TRUE(key) << why(key);
    EXPECT_EQ(token_->decrypt(**key, iv_, as_bytes("aad"), ciphertext_)->text(), "plaintext");
  }

  const std::vector<std::string> kFast = {"recovery.backoff_first=5ms",
                                          "recovery.backoff_last=20ms"};
  FaultFiles& files_ = FaultFiles::of_process();
  Material material_;
  MessageKeyPtr key_;
  std::array<std::uint8_t, 12> iv_{1, 2, 3};
  Bytes ciphertext_;
};

}  // namespace keyhold::token::test
