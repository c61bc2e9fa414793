#include "judgements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "tests/support/places.h"

namespace keyhold::vectors {
namespace {

std::string words_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kAccepted:
      return "accepted";
    case Outcome::Kind::kRefused:
      return outcome.why.empty() ? "refused" : "refused (" + outcome.why + ")";
    case Outcome::Kind::kOther:
      return "another answer";
  }
  return {};
}

/// The lines of a list that are about a file. Lines that begin with # give reasons.
std::vector<std::string> known_lines(const std::string& judge, const std::string& file) {
  std::ifstream in(keyhold::test::source_folder() + "/tests/golden/vectors/" + judge + ".txt");
  EXPECT_TRUE(in) << "no list of " << judge;
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(file + ":")) lines.push_back(line);
  }
  return lines;
}

}  // namespace

Judgements::Judgements(std::string judge, const VectorFile& file)
    : judge_(std::move(judge)), file_(file.name) {}

Judgements::~Judgements() {
  std::vector<std::string> lines;
  for (const auto& [what, cases] : differences_) {
    std::string line = file_ + ": " + what + ":";
    for (const int id : cases) line += " " + std::to_string(id);
    lines.push_back(line);
  }
  EXPECT_GT(judged_, 0) << file_;
  EXPECT_THAT(lines, ::testing::UnorderedElementsAreArray(known_lines(judge_, file_)))
      << "tests/golden/vectors/" << judge_ << ".txt says otherwise";
}

void Judgements::add(const Case& judged, Result says, const Outcome& outcome) {
  ++judged_;
  // An answer that is not the one of an invalid vector is what it asks for.
  const bool agree = says == Result::kValid     ? outcome.kind == Outcome::Kind::kAccepted
                     : says == Result::kInvalid ? outcome.kind != Outcome::Kind::kAccepted
                                                : false;
  if (!agree) differences_[to_string(says) + " -> " + words_of(outcome)].insert(judged.id);
}

}  // namespace keyhold::vectors
