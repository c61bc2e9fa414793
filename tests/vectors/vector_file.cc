#include "vector_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/json.h"
#include "tests/support/places.h"

namespace keyhold::vectors {
namespace {

Bytes bytes_of(const std::map<std::string, std::string>& members, const std::string& name) {
  const auto bytes = from_hex(members.at(name));
  if (!bytes) throw std::runtime_error(name + " is not hexadecimal");
  return *bytes;
}

std::map<std::string, std::string> text_members(const json::Value& object) {
  std::map<std::string, std::string> members;
  object.for_each_member([&](std::string_view name, json::Value value) {
    if (value.string()) members.emplace(name, *value.string());
    return true;
  });
  return members;
}

Result result_of(const std::string& word) {
  for (const Result result : {Result::kValid, Result::kInvalid, Result::kAcceptable}) {
    if (to_string(result) == word) return result;
  }
  throw std::runtime_error("no result: " + word);
}

VectorFile read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  Bytes text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto document = json::Document::parse(text);
  if (!document) throw std::runtime_error(path.string() + " is not JSON");
  VectorFile file;
  file.name = path.stem();
  const auto groups = document->root().member("groups");
  for (std::size_t at = 0; groups && at < groups->size(); ++at) {
    const json::Value from = groups->element(at);
    Group group;
    group.members = text_members(from);
    group.foreign = from.member("foreign") && from.member("foreign")->boolean() == true;
    const auto tests = from.member("tests");
    for (std::size_t test = 0; tests && test < tests->size(); ++test) {
      Case each;
      each.members = text_members(tests->element(test));
      each.id = static_cast<int>(tests->element(test).member("id")->integer().value());
      each.result = result_of(each.members.at("result"));
      group.cases.push_back(std::move(each));
    }
    file.groups.push_back(std::move(group));
  }
  EXPECT_FALSE(file.groups.empty()) << path;
  return file;
}

template <typename Word>
Word word(const std::string& text) {
  const auto known = parse_word<Word>(text);
  if (!known) throw std::runtime_error("no word of KMS: " + text);
  return *known;
}

}  // namespace

std::string to_string(Result result) {
  switch (result) {
    case Result::kValid:
      return "valid";
    case Result::kInvalid:
      return "invalid";
    case Result::kAcceptable:
      return "acceptable";
  }
  return {};
}

Bytes Case::bytes(const std::string& name) const { return bytes_of(members, name); }

Bytes Group::bytes(const std::string& name) const { return bytes_of(members, name); }

KeySpec Group::spec() const { return word<KeySpec>(text("spec")); }

const AlgorithmRow& Group::algorithm() const { return row_of(word<Algorithm>(text("algorithm"))); }

std::vector<VectorFile> read_vectors(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  const auto place = keyhold::test::source_folder() + "/tests/vectors/" + folder;
  for (const auto& entry : std::filesystem::directory_iterator(place)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  EXPECT_FALSE(paths.empty()) << place;
  std::ranges::sort(paths);
  std::vector<VectorFile> files;
  for (const auto& path : paths) files.push_back(read_file(path));
  return files;
}

}  // namespace keyhold::vectors
