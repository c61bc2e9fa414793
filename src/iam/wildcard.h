// Patterns with `*` and `?`, as IAM policies have them, matched in linear time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyhold::iam {

/// A text in which `*` stands for any characters, none included, and `?` for one. Characters are
/// UTF-8's, not bytes.
///
/// Matching a text of n characters takes O(n) steps, whatever the pattern: what lies between two
/// stars is looked for once, with Knuth-Morris-Pratt, or, if it holds a `?`, with Shift-And, which
/// takes n steps for each 64 characters of it. No pattern can be made slow.
class WildcardPattern {
 public:
  /// Matches the empty text alone, until something is appended.
  WildcardPattern() : segments_(1) {}

  /// `*` and `?` in `text` are wildcards.
  static WildcardPattern parse(std::string_view text);
  /// `text` and nothing else.
  static WildcardPattern literal(std::string_view text);

  // Building, from the left to the right; finish() comes last.
  void append_literal(std::string_view text);
  void append_pattern(std::string_view text);
  void finish();

  bool matches(std::string_view text) const { return match(text).matched; }

  /// The answer and how many characters were compared for it.
  struct Outcome {
    bool matched = false;
    std::size_t steps = 0;
  };
  Outcome match(std::string_view text) const;

 private:
  /// What lies between two stars, or between a star and an end.
  struct Segment {
    std::u32string characters;  ///< a `?` is kAnyCharacter
    bool holds_any = false;
    // For those that are looked for, not held against an end: the one or the other.
    std::vector<std::uint32_t> borders;                                  ///< of Knuth-Morris-Pratt
    std::vector<std::pair<char32_t, std::vector<std::uint64_t>>> masks;  ///< by character
    std::vector<std::uint64_t> any_mask;

    template <typename Text>
    bool equals(const Text& text, std::size_t at, std::size_t& steps) const;
    template <typename Text>
    std::size_t find(const Text& text, std::size_t from, std::size_t end, std::size_t& steps) const;
    template <typename Text>
    std::size_t find_with_any(const Text& text, std::size_t from, std::size_t end,
                              std::size_t& steps) const;
    void prepare();
  };

  template <typename Text>
  Outcome match_characters(const Text& text) const;

  std::vector<Segment> segments_;
};

}  // namespace keyhold::iam
