#include "iam/wildcard.h"

#include <algorithm>

#include "iam/ascii.h"

namespace keyhold::iam {
namespace {

constexpr char32_t kAnyCharacter = 0xFFFFFFFF;
constexpr std::size_t kWordBits = 64;
constexpr std::size_t kNotFound = static_cast<std::size_t>(-1);

/// The text's characters; a byte that belongs to none stands for itself, apart from all characters.
std::u32string decode(std::string_view text) {
  constexpr char32_t kStrayByte = 0x110000;
  std::u32string characters;
  characters.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[at]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    bool whole = size > 0 && at + size <= text.size();
    char32_t character = size == 1 ? lead : lead & (0x7Fu >> size);
    for (std::size_t i = 1; whole && i < size; ++i) {
      const auto next = static_cast<std::uint8_t>(text[at + i]);
      whole = (next & 0xC0u) == 0x80u;
      character = (character << 6) | (next & 0x3Fu);
    }
    characters += whole ? character : kStrayByte + lead;
    at += whole ? size : 1;
  }
  return characters;
}

bool fits(char32_t wanted, char32_t character) {
  return wanted == kAnyCharacter || wanted == character;
}

struct AsciiText {
  std::string_view text;
  std::size_t size() const { return text.size(); }
  char32_t operator[](std::size_t at) const { return static_cast<unsigned char>(text[at]); }
};

}  // namespace

void WildcardPattern::append_literal(std::string_view text) {
  segments_.back().characters += decode(text);
}

void WildcardPattern::append_pattern(std::string_view text) {
  while (!text.empty()) {
    const std::size_t literal = std::min(text.find_first_of("*?"), text.size());
    append_literal(text.substr(0, literal));
    text.remove_prefix(literal);
    if (text.empty()) return;
    if (text.front() == '?') {
      segments_.back().characters += kAnyCharacter;
      segments_.back().holds_any = true;
    } else if (segments_.size() == 1 || !segments_.back().characters.empty()) {
      segments_.emplace_back();  // several stars in a row are one
    }
    text.remove_prefix(1);
  }
}

void WildcardPattern::finish() {
  for (std::size_t i = 1; i + 1 < segments_.size(); ++i) segments_[i].prepare();
}

WildcardPattern WildcardPattern::parse(std::string_view text) {
  WildcardPattern pattern;
  pattern.append_pattern(text);
  pattern.finish();
  return pattern;
}

WildcardPattern WildcardPattern::literal(std::string_view text) {
  WildcardPattern pattern;
  pattern.append_literal(text);
  pattern.finish();
  return pattern;
}

void WildcardPattern::Segment::prepare() {
  if (!holds_any) {
    borders.assign(characters.size(), 0);
    std::uint32_t border = 0;
    for (std::size_t i = 1; i < characters.size(); ++i) {
      while (border > 0 && characters[i] != characters[border]) border = borders[border - 1];
      if (characters[i] == characters[border]) ++border;
      borders[i] = border;
    }
    return;
  }
  any_mask.assign((characters.size() + kWordBits - 1) / kWordBits, 0);
  std::u32string distinct = characters;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const char32_t character : distinct) {
    if (character != kAnyCharacter) masks.emplace_back(character, any_mask);
  }
  const auto bit = [](std::size_t i) { return std::uint64_t{1} << (i % kWordBits); };
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (characters[i] == kAnyCharacter) any_mask[i / kWordBits] |= bit(i);
  }
  for (auto& mask : masks) mask.second = any_mask;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (characters[i] == kAnyCharacter) continue;
    const auto mask = std::lower_bound(masks.begin(), masks.end(), characters[i],
                                       [](const auto& a, char32_t b) { return a.first < b; });
    mask->second[i / kWordBits] |= bit(i);
  }
}

template <typename Text>
bool WildcardPattern::Segment::equals(const Text& text, std::size_t at, std::size_t& steps) const {
  for (std::size_t i = 0; i < characters.size(); ++i) {
    ++steps;
    if (!fits(characters[i], text[at + i])) return false;
  }
  return true;
}

// Where the segment ends, at its first place in [from, end).
template <typename Text>
std::size_t WildcardPattern::Segment::find(const Text& text, std::size_t from, std::size_t end,
                                           std::size_t& steps) const {
  if (holds_any) return find_with_any(text, from, end, steps);
  std::size_t matched = 0;
  for (std::size_t at = from; at < end; ++at) {
    ++steps;
    while (matched > 0 && characters[matched] != text[at]) {
      ++steps;
      matched = borders[matched - 1];
    }
    if (characters[matched] == text[at]) ++matched;
    if (matched == characters.size()) return at + 1;
  }
  return kNotFound;
}

// Bit i of the state: the last i + 1 characters are the segment's first i + 1.
template <typename Text>
std::size_t WildcardPattern::Segment::find_with_any(const Text& text, std::size_t from,
                                                    std::size_t end, std::size_t& steps) const {
  std::vector<std::uint64_t> state(any_mask.size(), 0);
  const std::uint64_t last = std::uint64_t{1} << ((characters.size() - 1) % kWordBits);
  for (std::size_t at = from; at < end; ++at) {
    const auto mask = std::lower_bound(masks.begin(), masks.end(), text[at],
                                       [](const auto& a, char32_t b) { return a.first < b; });
    const auto& allowed = mask != masks.end() && mask->first == text[at] ? mask->second : any_mask;
    std::uint64_t carry = 1;
    for (std::size_t word = 0; word < state.size(); ++word) {
      ++steps;
      const std::uint64_t next_carry = state[word] >> (kWordBits - 1);
      state[word] = ((state[word] << 1) | carry) & allowed[word];
      carry = next_carry;
    }
    if ((state.back() & last) != 0) return at + 1;
  }
  return kNotFound;
}

template <typename Text>
WildcardPattern::Outcome WildcardPattern::match_characters(const Text& text) const {
  Outcome outcome;
  const Segment& first = segments_.front();
  const Segment& last = segments_.back();
  if (segments_.size() == 1) {
    outcome.matched =
        text.size() == first.characters.size() && first.equals(text, 0, outcome.steps);
    return outcome;
  }
  if (text.size() < first.characters.size() + last.characters.size()) return outcome;
  std::size_t at = first.characters.size();
  const std::size_t end = text.size() - last.characters.size();
  if (!first.equals(text, 0, outcome.steps) || !last.equals(text, end, outcome.steps)) {
    return outcome;
  }
  // Each at its first place: if any choice of places fits, this one does.
  for (std::size_t i = 1; i + 1 < segments_.size(); ++i) {
    at = segments_[i].find(text, at, end, outcome.steps);
    if (at == kNotFound) return outcome;
  }
  outcome.matched = true;
  return outcome;
}

WildcardPattern::Outcome WildcardPattern::match(std::string_view text) const {
  if (is_ascii(text)) return match_characters(AsciiText{text});
  return match_characters(decode(text));
}

}  // namespace keyhold::iam
