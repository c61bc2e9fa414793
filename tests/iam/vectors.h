// The vectors of tests/vectors/sigv4, read.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "iam/signed_request.h"
#include "tests/support/places.h"

namespace keyhold::iam {

struct SigV4Case {
  std::map<std::string, std::string> text;  ///< the members that are strings, by name
  std::vector<std::pair<std::string, std::string>> header_texts;
  std::vector<Header> headers;  ///< views of header_texts

  SignedRequest request() const {
    return {text.at("method"), text.at("target"), headers, as_bytes(text.at("body"))};
  }
};

struct SigV4Vectors {
  std::map<std::string, std::string> text;
  std::vector<std::unique_ptr<SigV4Case>> cases;
};

inline std::map<std::string, std::string> string_members(const json::Value& object) {
  std::map<std::string, std::string> members;
  object.for_each_member([&](std::string_view name, json::Value value) {
    if (value.string()) members.emplace(name, *value.string());
    return true;
  });
  return members;
}

inline SigV4Vectors read_vectors(const std::string& file) {
  std::ifstream in(keyhold::test::source_folder() + "/tests/vectors/sigv4/" + file);
  Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto document = json::Document::parse(bytes);
  SigV4Vectors vectors;
  if (!document) {
    ADD_FAILURE() << file << " is not JSON";
    return vectors;
  }
  vectors.text = string_members(document->root());
  const auto cases = document->root().member("cases");
  for (std::size_t i = 0; cases && i < cases->size(); ++i) {
    auto each = std::make_unique<SigV4Case>();
    each->text = string_members(cases->element(i));
    const auto headers = *cases->element(i).member("headers");
    for (std::size_t h = 0; h < headers.size(); ++h) {
      each->header_texts.emplace_back(*headers.element(h).element(0).string(),
                                      *headers.element(h).element(1).string());
    }
    for (const auto& [name, value] : each->header_texts) each->headers.push_back({name, value});
    vectors.cases.push_back(std::move(each));
  }
  EXPECT_FALSE(vectors.cases.empty()) << file;
  return vectors;
}

inline std::vector<std::string> split_names(const std::string& joined) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while (at <= joined.size()) {
    const std::size_t end = std::min(joined.find(';', at), joined.size());
    names.push_back(joined.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

}  // namespace keyhold::iam
