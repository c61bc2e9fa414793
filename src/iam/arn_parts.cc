#include "iam/arn_parts.h"

namespace keyhold::iam {
namespace {

enum class Variables { kNone, kPossible };

std::optional<ArnParts> split(std::string_view text, Variables variables) {
  ArnParts parts;
  std::size_t part = 0;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size() && part + 1 < parts.size(); ++at) {
    if (variables == Variables::kPossible && text.substr(at).starts_with("${")) inside = true;
    if (text[at] == '}') inside = false;
    if (text[at] != ':' || inside) continue;
    parts[part++] = text.substr(start, at - start);
    start = at + 1;
  }
  if (part + 1 != parts.size() || parts[0] != "arn") return std::nullopt;
  parts[part] = text.substr(start);
  return parts;
}

}  // namespace

std::optional<ArnParts> split_arn(std::string_view text) { return split(text, Variables::kNone); }

std::optional<ArnParts> split_arn_pattern(std::string_view text) {
  return split(text, Variables::kPossible);
}

}  // namespace keyhold::iam
