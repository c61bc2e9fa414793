#include "sts/xml.h"

#include <gtest/gtest.h>

namespace keyhold::sts {
namespace {

TEST(Xml, TextCannotBecomeMarkup) {
  XmlWriter xml;
  xml.text("Name", "<a>&</a>\r");
  EXPECT_EQ(xml.take().text(), "<Name>&lt;a&gt;&amp;&lt;/a&gt;&#xD;</Name>");
}

TEST(Xml, AFaultSaysWhoIsToBlame) {
  const auto of = [](FaultCode code) { return std::string(render_fault({code, "m"}, "r").text()); };
  EXPECT_NE(of(FaultCode::kAccessDenied).find("<Type>Sender</Type><Code>AccessDenied</Code>"),
            std::string::npos);
  EXPECT_NE(of(FaultCode::kInternalFailure).find("<Type>Receiver</Type>"), std::string::npos);
}

}  // namespace
}  // namespace keyhold::sts
