// Tags on the wire.
#pragma once

#include <string>
#include <vector>

#include "api/shape.h"
#include "kms/tag.h"

namespace keyhold::api {

inline constexpr Rule kTagKey{.min = 1, .max = 128};
inline constexpr Rule kTagKeys{.element = &kTagKey};
inline constexpr Rule kTagValue{.min = 0, .max = 256};

struct Tag {
  std::string tag_key;
  std::string tag_value;

  static constexpr auto shape() {
    return members(required("TagKey", &Tag::tag_key, kTagKey),
                   required("TagValue", &Tag::tag_value, kTagValue));
  }
};

inline std::vector<kms::Tag> from_wire(const std::vector<Tag>& tags) {
  std::vector<kms::Tag> out;
  out.reserve(tags.size());
  for (const Tag& tag : tags) out.push_back({tag.tag_key, tag.tag_value});
  return out;
}

}  // namespace keyhold::api
