#include "kms/tag.h"

#include <algorithm>

#include "kms/paging.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kListName = "tags";

bool is_reserved(std::string_view key) {
  constexpr std::string_view kPrefix = "aws:";
  return key.size() >= kPrefix.size() &&
         std::equal(kPrefix.begin(), kPrefix.end(), key.begin(), [](char wanted, char found) {
           return wanted == (found >= 'A' && found <= 'Z' ? found - 'A' + 'a' : found);
         });
}

Result<void> check_tag_key(std::string_view key) {
  if (!is_reserved(key)) return {};
  return Error(ErrorCode::kTag, "Tags beginning with aws: are reserved");
}

Error too_many_tags() { return Error(ErrorCode::kTag, "Too many tags"); }

}  // namespace

Result<void> check_tags(std::span<const store::Tag> tags) {
  for (const store::Tag& tag : tags) TRY(check_tag_key(tag.key));
  std::vector<std::string_view> keys;
  keys.reserve(tags.size());
  for (const store::Tag& tag : tags) keys.push_back(tag.key);
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) {
    return Error(ErrorCode::kTag, "Duplicate tag keys");
  }
  if (tags.size() > kTagLimit) return too_many_tags();
  return {};
}

Result<std::vector<store::Tag>> merge_tags(std::vector<store::Tag> present,
                                           std::span<const store::Tag> added) {
  TRY(check_tags(added));
  for (const store::Tag& tag : added) {
    const auto at = std::ranges::lower_bound(present, tag.key, {}, &store::Tag::key);
    if (at != present.end() && at->key == tag.key) {
      at->value = tag.value;
    } else {
      present.insert(at, tag);
    }
  }
  if (present.size() > kTagLimit) return too_many_tags();
  return present;
}

Result<std::vector<store::Tag>> remove_tags(std::vector<store::Tag> present,
                                            std::span<const std::string> keys) {
  for (const std::string& key : keys) TRY(check_tag_key(key));
  std::erase_if(present,
                [&](const store::Tag& tag) { return std::ranges::count(keys, tag.key) != 0; });
  return present;
}

const std::string* find_tag(std::span<const store::Tag> tags, std::string_view key) {
  const auto at = std::ranges::lower_bound(tags, key, {}, &store::Tag::key);
  return at != tags.end() && at->key == key ? &at->value : nullptr;
}

Result<Page<store::Tag>> list_tags(const Key& key, const PageRequest& request) {
  return page_by_name(kListName, std::span(key.record().tags), request,
                      [](const store::Tag& tag) -> std::string_view { return tag.key; });
}

}  // namespace keyhold::kms
