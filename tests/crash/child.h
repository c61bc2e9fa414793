// Children that die at a step of their work, and what they told before. The program starts itself
// as its own child: `--child FOLDER OPERATION before|after STEP AT`.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/kms/hooks.h"

namespace keyhold::crash {

enum class Moment : std::uint8_t { kBefore, kAfter };

/// What the child told the outside before it died, line by line: `word value`.
class Notes {
 public:
  explicit Notes(const std::string& folder) : path_(folder + "/notes") {}

  void write(std::string_view word, std::string_view value) const;
  std::vector<std::string> all(std::string_view word) const;
  /// The last one; empty if there is none.
  std::string one(std::string_view word) const;
  bool has(std::string_view word) const { return !all(word).empty(); }

 private:
  std::string path_;
};

/// Whose nth step is the last thing this process does.
class Executioner {
 public:
  Executioner(Moment moment, int step) : moment_(moment), step_(step) {}
  void arm() { armed_ = true; }

  /// Counts the calls that go through these.
  void install(std::initializer_list<kms::testing::Hook*> hooks);

 private:
  const Moment moment_;
  const int step_;
  std::atomic<bool> armed_{false};
  std::atomic<int> steps_{0};
};

enum class Fate : std::uint8_t { kDied, kLived };

/// Runs a child to its end.
Fate run_child(const std::string& folder, const std::string& operation, Moment moment, int step,
               const std::string& at);

}  // namespace keyhold::crash
