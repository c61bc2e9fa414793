#include "sts/xml.h"

namespace keyhold::sts {
namespace {

constexpr std::string_view kNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";

}  // namespace

XmlWriter& XmlWriter::begin(std::string_view name) {
  raw("<");
  raw(name);
  raw(">");
  return *this;
}

XmlWriter& XmlWriter::begin_root(std::string_view name) {
  raw("<");
  raw(name);
  raw(" xmlns=\"");
  raw(kNamespace);
  raw("\">");
  return *this;
}

XmlWriter& XmlWriter::end(std::string_view name) {
  raw("</");
  raw(name);
  raw(">");
  return *this;
}

XmlWriter& XmlWriter::text(std::string_view name, std::string_view value) {
  begin(name);
  for (const char c : value) {
    switch (c) {
      case '&':
        raw("&amp;");
        break;
      case '<':
        raw("&lt;");
        break;
      case '>':
        raw("&gt;");
        break;
      case '\r':
        raw("&#xD;");
        break;
      default:
        raw(std::string_view(&c, 1));
    }
  }
  return end(name);
}

Secret render_fault(const Fault& fault, std::string_view request_id) {
  const FaultRow& row = fault_row(fault.code);
  XmlWriter xml;
  xml.begin_root("ErrorResponse").begin("Error");
  xml.text("Type", row.http_status < 500 ? "Sender" : "Receiver");
  xml.text("Code", row.wire_name).text("Message", fault.message);
  xml.end("Error").text("RequestId", request_id).end("ErrorResponse");
  return xml.take();
}

}  // namespace keyhold::sts
