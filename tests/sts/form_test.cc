#include "sts/form.h"

#include <gtest/gtest.h>

namespace keyhold::sts {
namespace {

TEST(Form, DecodesNamesAndValues) {
  const auto form = Form::parse("Action=Get&a%2Eb=x+y%3D%26&empty=&bare");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->find("Action"), "Get");
  EXPECT_EQ(form->find("a.b"), "x y=&");
  EXPECT_EQ(form->find("empty"), "");
  EXPECT_EQ(form->find("bare"), "");
  EXPECT_EQ(form->find("none"), std::nullopt);
}

TEST(Form, ThatIsNoneIsAValidationError) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxParameters; ++i) many += "p" + std::to_string(i) + "=&";
  for (const std::string& body : std::vector<std::string>{
           "a=%", "a=%4", "a=%zz", "a=1&a=2", "a=%FF", "a=%C0%80", "a=%ED%A0%80", "a=%00",
           "a=%F4%90%80%80", "a=%EF%BF%BE", "%FF=a", many}) {
    const auto form = Form::parse(body);
    ASSERT_FALSE(form) << body;
    EXPECT_EQ(form.error().code, FaultCode::kValidationError) << body;
  }
}

}  // namespace
}  // namespace keyhold::sts
