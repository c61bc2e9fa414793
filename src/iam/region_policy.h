// Which region names a signature may be scoped to.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace keyhold::iam {

/// Whether the text can name a region: lower-case letters, digits and single dashes, at most 32,
/// with a letter first and no dash last.
bool is_region_name(std::string_view text);

class RegionPolicy {
 public:
  /// Every well-formed name.
  static RegionPolicy any() { return RegionPolicy(Kind::kAny, {}); }
  /// These names and no other.
  static RegionPolicy one_of(std::set<std::string, std::less<>> names) {
    return RegionPolicy(Kind::kListed, std::move(names));
  }

  bool allows(std::string_view region) const;

 private:
  enum class Kind { kAny, kListed };
  RegionPolicy(Kind kind, std::set<std::string, std::less<>> names)
      : kind_(kind), names_(std::move(names)) {}

  Kind kind_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace keyhold::iam
