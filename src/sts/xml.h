// The XML of STS's answers.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"
#include "sts/fault.h"

namespace keyhold::sts {

/// Elements and text, into a buffer that is wiped: answers hold secret access keys.
class XmlWriter {
 public:
  XmlWriter& begin(std::string_view name);
  XmlWriter& end(std::string_view name);
  /// An element with text in it.
  XmlWriter& text(std::string_view name, std::string_view value);
  Secret take() { return std::move(text_); }

  /// The root of every answer: `name` in STS's namespace.
  XmlWriter& begin_root(std::string_view name);

 private:
  void raw(std::string_view part) { text_.append(as_bytes(part)); }
  Secret text_;
};

Secret render_fault(const Fault& fault, std::string_view request_id);

}  // namespace keyhold::sts
