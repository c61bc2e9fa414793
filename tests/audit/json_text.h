// JSON texts compared by what they say.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace keyhold::audit {

inline void write_sorted(json::Writer& out, json::Value value) {
  switch (value.type()) {
    case json::Value::Type::kObject: {
      std::vector<std::string> names;
      value.for_each_member([&](std::string_view name, json::Value) {
        names.emplace_back(name);
        return true;
      });
      std::sort(names.begin(), names.end());
      out.begin_object();
      for (const std::string& name : names) {
        out.key(name);
        write_sorted(out, *value.member(name));
      }
      out.end_object();
      return;
    }
    case json::Value::Type::kArray:
      out.begin_array();
      for (std::size_t i = 0; i < value.size(); ++i) write_sorted(out, value.element(i));
      out.end_array();
      return;
    case json::Value::Type::kString:
      out.string(*value.string());
      return;
    case json::Value::Type::kNumber:
      out.integer(value.integer().value_or(-1));
      return;
    case json::Value::Type::kNull:
      out.null();
      return;
    default:
      out.boolean(*value.boolean());
  }
}

/// The text with the members of each object in the order of their names.
inline std::string sorted(std::string_view text) {
  Bytes bytes(text.begin(), text.end());
  const auto document = json::Document::parse(bytes);
  if (!document) {
    ADD_FAILURE() << "not JSON: " << text;
    return {};
  }
  json::Writer out;
  write_sorted(out, document->root());
  return std::string(out.text());
}

}  // namespace keyhold::audit
