// The picture of docs/architecture.md, held against the #include lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/places.h"

namespace keyhold {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// Which folders a folder may include; itself always.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"pkcs11", {}},
    {"base", {}},
    {"token", {"pkcs11", "base"}},
    {"store", {"base"}},
    {"iam", {"base"}},
    {"sts", {"iam", "base"}},
    {"audit", {"base"}},
    {"kms", {"token", "store", "iam", "base"}},
    {"api", {"kms", "iam", "base"}},
    {"http", {"base"}},
    {"app", {"pkcs11", "base", "token", "store", "iam", "sts", "audit", "kms", "api", "http"}},
};

/// A library that is used behind one door: headers that begin so are included there alone.
struct Door {
  std::string_view header;
  std::vector<std::string_view> places;  // a file, or a folder with its slash
};

const std::vector<Door> kDoors = {
    {"rapidjson/", {"src/base/json.cc"}},
    {"spdlog/", {"src/base/log.cc"}},
    {"curl/", {"src/app/https_key_fetcher.cc"}},
    {"sqlite3.h", {"src/store/"}},
    {"p11-kit/", {"pkcs11/"}},
    {"boost/beast", {"src/http/"}},
    {"boost/asio", {"src/http/", "src/app/"}},
};

// "src/kms/key.h" → "kms", "pkcs11/fault/fault.cc" → "pkcs11", "src/x" → "".
std::string folder_of(std::string_view path) {
  if (path.starts_with("src/")) path.remove_prefix(4);
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

struct Include {
  char open;  // '"' or '<'
  std::string header;
};

std::optional<Include> include_of(std::string_view line) {
  const auto skip_space = [&line] {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  };
  skip_space();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_space();
  constexpr std::string_view kInclude = "include";
  if (!line.starts_with(kInclude)) return std::nullopt;
  line.remove_prefix(kInclude.size());
  skip_space();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return std::nullopt;
  const char open = line.front();
  line.remove_prefix(1);
  const std::size_t end = line.find(open == '"' ? '"' : '>');
  if (end == std::string_view::npos) return std::nullopt;
  return Include{open, std::string(line.substr(0, end))};
}

/// What is wrong with the includes of a file; `path` is from the project's root.
std::vector<std::string> violations(const std::string& path, const std::string& text) {
  std::vector<std::string> found;
  const std::string folder = folder_of(path);
  const auto arrows = kArrows.find(folder);
  if (arrows == kArrows.end()) return {path + ": the picture has no folder \"" + folder + "\""};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::optional<Include> include = include_of(line);
    if (!include) continue;
    const std::string& header = include->header;
    const std::string target = folder_of(header);
    if (include->open == '"' && target.empty()) {
      found.push_back(path + ": \"" + header + "\" does not begin with its folder");
    }
    const bool ours = include->open == '"' || kArrows.contains(target);
    if (ours && !target.empty() && target != folder && !arrows->second.contains(target)) {
      found.push_back(path + ": " + folder + " may not include " + header);
    }
    for (const Door& door : kDoors) {
      if (!header.starts_with(door.header)) continue;
      const bool allowed = std::ranges::any_of(door.places, [&](std::string_view place) {
        return place.ends_with('/') ? path.starts_with(place) : path == place;
      });
      if (!allowed) found.push_back(path + ": " + header + " has its door elsewhere");
    }
  }
  return found;
}

/// Path from the root and text of each source under the folders.
std::map<std::string, std::string> sources(const std::vector<std::string>& folders) {
  static const std::set<std::string> kExtensions = {".h", ".cc", ".c", ".def", ".in"};
  const fs::path root = keyhold::test::source_folder();
  std::map<std::string, std::string> found;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file()) continue;
      if (!kExtensions.contains(entry.path().extension().string())) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      found.emplace(fs::relative(entry.path(), root).string(), text.str());
    }
  }
  return found;
}

TEST(Includes, FollowThePicture) {
  const auto all = sources({"src", "pkcs11"});
  ASSERT_TRUE(all.contains("src/base/result.h"));
  std::vector<std::string> wrong;
  for (const auto& [path, text] : all) {
    for (std::string& violation : violations(path, text)) wrong.push_back(std::move(violation));
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(Includes, ThatBreakThePictureAreNoticed) {
  EXPECT_THAT(violations("src/kms/a.cc", "#include \"api/shape.h\"\n"),
              ElementsAre("src/kms/a.cc: kms may not include api/shape.h"));
  EXPECT_THAT(violations("src/kms/a.cc", "  #  include <http/server.h>\n"),
              ElementsAre("src/kms/a.cc: kms may not include http/server.h"));
  EXPECT_THAT(violations("src/api/operations/a.cc", "#include \"token/token.h\"\n"),
              ElementsAre("src/api/operations/a.cc: api may not include token/token.h"));
  EXPECT_THAT(violations("pkcs11/fault/a.cc", "int x;\n#include \"base/log.h\"\n"),
              ElementsAre("pkcs11/fault/a.cc: pkcs11 may not include base/log.h"));
  EXPECT_THAT(violations("src/kms/a.cc", "#include \"key.h\"\n"),
              ElementsAre("src/kms/a.cc: \"key.h\" does not begin with its folder"));
  EXPECT_THAT(violations("src/base/a.cc", "#include <rapidjson/reader.h>\n"),
              ElementsAre("src/base/a.cc: rapidjson/reader.h has its door elsewhere"));
  EXPECT_THAT(violations("src/token/a.cc", "#include <p11-kit/uri.h>\n"),
              ElementsAre("src/token/a.cc: p11-kit/uri.h has its door elsewhere"));
  EXPECT_THAT(violations("src/app/a.cc", "#include <sqlite3.h>\n#include <boost/beast.hpp>\n"),
              ElementsAre("src/app/a.cc: sqlite3.h has its door elsewhere",
                          "src/app/a.cc: boost/beast.hpp has its door elsewhere"));
  EXPECT_THAT(violations("src/web/a.cc", ""),
              ElementsAre("src/web/a.cc: the picture has no folder \"web\""));

  EXPECT_THAT(violations("src/app/a.cc", "#include <boost/asio/signal_set.hpp>\n"), IsEmpty());
  EXPECT_THAT(violations("src/kms/a.cc", "#include \"kms/key.h\"\n#include <vector>\n"), IsEmpty());
}

// Keys in a token that is not admitted are not in custody.
TEST(Admission, IsEnforcedWhereverTheProductOpensAToken) {
  const auto all = sources({"src"});
  ASSERT_NE(all.at("src/token/admission.h").find("kObserved"), std::string::npos);
  std::vector<std::string> places;
  for (const auto& [path, text] : all) {
    if (text.find("AdmissionRule::kObserved") != std::string::npos) places.push_back(path);
  }
  EXPECT_THAT(places, IsEmpty());
}

TEST(Includes, OfPublicHeadersOfHttpBringNoAsio) {
  // These are private to http/server.cc; every other header may be included by others.
  const std::set<std::string> own = {"src/http/connection.h", "src/http/stream.h"};
  std::vector<std::string> wrong;
  for (const auto& [path, text] : sources({"src/http"})) {
    if (!path.ends_with(".h") || own.contains(path)) continue;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const std::optional<Include> include = include_of(line);
      if (include &&
          (include->header.starts_with("boost/") || own.contains("src/" + include->header))) {
        wrong.push_back(path + ": " + include->header);
      }
    }
  }
  EXPECT_THAT(wrong, IsEmpty());
}

TEST(Sources, LeaveNothingForLater) {
  const std::string mark = std::string("TO") + "DO";
  std::vector<std::string> marked;
  for (const auto& [path, text] : sources({"src", "pkcs11", "tests"})) {
    if (text.find(mark) != std::string::npos) marked.push_back(path);
  }
  EXPECT_THAT(marked, IsEmpty());
}

}  // namespace
}  // namespace keyhold
