// An extractable key lives inside one step of wrapped custody, whatever fails in that step.
#include "fault_fixture.h"

namespace keyhold::token::test {
namespace {

class WrappedFaultTest : public FaultTest {
 protected:
  void SetUp() override {
    custody_ = Custody::kWrapped;
    FaultTest::SetUp();
  }

  Result<void> generate_one() {
    const auto made =
        token_->generate_wrapped_material(custody_key(), draw_name(), {}, as_bytes("subject"));
    if (!made) return made.error();
    return {};
  }

  /// Those of every session, as everybody who is logged in sees them.
  std::size_t extractable_keys() {
    pkcs11::Attributes matching;
    matching.number(CKA_CLASS, CKO_SECRET_KEY).yes(CKA_EXTRACTABLE);
    Intruder intruder(module_path());
    return intruder.find(matching).size();
  }
};

TEST_F(WrappedFaultTest, NoExtractableKeyOutlivesAStepThatFails) {
  // Some close the session, with which its objects go; some keep it.
  for (const char* fault :
       {"C_WrapKey 1 CKR_FUNCTION_FAILED", "C_WrapKey 1 CKR_ACTION_PROHIBITED",
        "C_DestroyObject 1 CKR_FUNCTION_FAILED", "C_DestroyObject 1 CKR_ACTION_PROHIBITED"}) {
    files_.set_script(std::string(fault) + "\n");
    EXPECT_FALSE(generate_one()) << fault;
    EXPECT_EQ(extractable_keys(), 0U) << fault;
    files_.set_script(std::string(fault) + "\n");
    EXPECT_FALSE(token_->rewrap_material(material_, custody_key())) << fault;
    EXPECT_EQ(extractable_keys(), 0U) << fault;
    files_.set_script("");
    EXPECT_TRUE(generate_one()) << fault;
  }
  expect_whole();
}

}  // namespace
}  // namespace keyhold::token::test
