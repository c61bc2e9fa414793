#include "iam/region_policy.h"

#include <algorithm>

namespace keyhold::iam {
namespace {

constexpr std::size_t kMaxRegionName = 32;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

bool is_region_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRegionName && is_letter(text.front()) &&
         text.back() != '-' && text.find("--") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

bool RegionPolicy::allows(std::string_view region) const {
  if (kind_ == Kind::kAny) return is_region_name(region);
  return names_.find(region) != names_.end();
}

}  // namespace keyhold::iam
