#include "known_token.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/support/places.h"

namespace keyhold::token::contract {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) {
    throw std::runtime_error("no token was made; run me by tests/contract/on_token.py");
  }
  return value;
}

std::vector<std::string> lines_of(std::istream&& in) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

const KnownToken& KnownToken::of_process() {
  static const KnownToken only;
  return only;
}

KnownToken::KnownToken() {
  name_ = variable("KEYHOLD_TOKEN");
  const std::string root = keyhold::test::source_folder();
  const auto settings = lines_of(std::istringstream(variable("KEYHOLD_TOKEN_SETTINGS")));
  auto profile = read_profile(root + "/hsm-config/" + name_ + ".toml", settings);
  if (!profile) throw std::runtime_error(profile.error().message());
  profile_ = std::move(*profile);
  const auto table = lines_of(std::ifstream(root + "/tests/golden/tokens/" + name_ + ".txt"));
  if (table.empty()) throw std::runtime_error("no table of " + name_);
  for (const std::string& line : table) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("  ") && colon != std::string::npos) {
      rows_.emplace(line.substr(2, colon - 2), line.substr(colon + 2));
    }
  }
  if (table.back() != "admitted") refusal_ = table.back();
}

Secret KnownToken::pin() const {
  std::string line;
  std::ifstream file(variable("KEYHOLD_TOKEN_PIN_FILE"));
  std::getline(file, line);
  return Secret(std::string_view(line));
}

const std::string& KnownToken::row(const std::string& name) const {
  const auto found = rows_.find(name);
  if (found == rows_.end()) throw std::runtime_error("the table has no " + name);
  return found->second;
}

std::string KnownToken::lack_of(const std::string& row) {
  constexpr std::string_view kNowhere = "nowhere, ";
  return row.starts_with(kNowhere) ? row.substr(kNowhere.size()) : "";
}

bool KnownToken::holds_wrapped(KeySpec spec) const {
  const auto found = rows_.find(std::string(to_string(spec)));
  return found != rows_.end() && found->second == "token";
}

std::string KnownToken::lack(KeySpec spec, Algorithm algorithm) const {
  return lack_of(row(std::string(to_string(spec)) + " " + std::string(to_string(algorithm))));
}

std::string KnownToken::place(KeySpec spec, Algorithm algorithm) const {
  const std::string& seen =
      row(std::string(to_string(spec)) + " " + std::string(to_string(algorithm)));
  return seen.substr(0, seen.find(','));
}

/// A kind is made where one of its algorithms is done in the token, which proves its keys.
std::string KnownToken::lack(MaterialKind kind) const {
  const auto algorithms = algorithms_of(kind.spec, kind.usage);
  for (const Algorithm algorithm : algorithms) {
    if (place(kind.spec, algorithm) == "token") return {};
  }
  return lack(kind.spec, algorithms.front());
}

std::string KnownToken::place(MaterialKind kind, WrappingAlgorithm algorithm) const {
  if (!lack(kind).empty()) return "nowhere";  // there are no rows of such
  const std::string& seen =
      row(std::string(to_string(kind.spec)) + " " + std::string(to_string(kind.usage)) + " " +
          std::string(to_string(algorithm)));
  return seen.substr(0, seen.find(','));
}

std::string KnownToken::lack(MaterialKind kind, WrappingAlgorithm algorithm) const {
  if (auto of_kind = lack(kind); !of_kind.empty()) return of_kind;
  return lack_of(row(std::string(to_string(kind.spec)) + " " + std::string(to_string(kind.usage)) +
                     " " + std::string(to_string(algorithm))));
}

}  // namespace keyhold::token::contract
