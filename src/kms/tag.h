// Tags of KMS keys (developer guide, "Tags in AWS KMS").
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kms/key.h"
#include "kms/page.h"

namespace keyhold::kms {

using store::Tag;

/// Tags a key may have.
inline constexpr std::size_t kTagLimit = 50;

/// kTag with AWS's text for a key that is AWS's own, one that is there twice, and for more tags
/// than a key may have.
Result<void> check_tags(std::span<const store::Tag> tags);

/// The tags of a key that has `present` and is given `added`, by key: a value replaces the one that
/// was there. Errors as check_tags.
Result<std::vector<store::Tag>> merge_tags(std::vector<store::Tag> present,
                                           std::span<const store::Tag> added);

/// What remains of `present` without these keys; those that are not there are no matter. kTag for a
/// key that is AWS's own.
Result<std::vector<store::Tag>> remove_tags(std::vector<store::Tag> present,
                                            std::span<const std::string> keys);

/// The value of the tag of that key; null if there is none.
const std::string* find_tag(std::span<const store::Tag> tags, std::string_view key);

/// Entries of ListResourceTags, by tag key.
Result<Page<store::Tag>> list_tags(const Key& key, const PageRequest& page);

}  // namespace keyhold::kms
