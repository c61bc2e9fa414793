#include "kms/paging.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kms/alias_directory.h"
#include "kms/key_directory.h"
#include "kms/rotation_list.h"
#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;

const Scope kScope{std::string(kAccount), std::string(kRegion)};

TEST(Marker, IsReadByItsOwnListOnly) {
  EXPECT_EQ(*read_marker("keys", make_marker("keys", "abc")), "abc");
  EXPECT_EQ(*read_marker("keys", std::nullopt), "");
  const std::vector<std::string> foreign{"",
                                         "abc",
                                         make_marker("aliases", "abc"),
                                         make_marker("keys", ""),
                                         to_base64(as_bytes("keys")),
                                         make_marker("keys", "abc") + "=",
                                         " " + make_marker("keys", "abc")};
  for (const std::string& marker : foreign) {
    const auto read = read_marker("keys", marker);
    ASSERT_FALSE(read) << marker;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidMarker);
  }
}

std::set<std::string> fill(KeyDirectory& keys, int count) {
  std::set<std::string> ids;
  for (int i = 0; i < count; ++i) {
    const auto record = a_key_record();
    ids.insert(record.id);
    keys.put(std::make_shared<const Key>(a_key(record)));
  }
  return ids;
}

TEST(KeyList, ShowsEachKeyOnceInPagesOfAnySize) {
  KeyDirectory keys;
  const auto ids = fill(keys, 25);
  for (const std::size_t limit : {1, 2, 5, 24, 25, 26, 1000}) {
    std::vector<std::string> listed;
    PageRequest request{limit, std::nullopt};
    std::size_t pages = 0;
    while (true) {
      const auto page = keys.list(kScope, request);
      ASSERT_TRUE(page);
      ASSERT_LE(page->elements.size(), limit);
      ++pages;
      for (const auto& key : page->elements) listed.push_back(key->id());
      if (!page->next_marker) break;
      request.marker = page->next_marker;
    }
    EXPECT_EQ(pages, (ids.size() + limit - 1) / limit);
    EXPECT_EQ(listed, std::vector<std::string>(ids.begin(), ids.end()));
  }
}

TEST(KeyList, IsEmptyWithoutAMarkerWhereThereIsNothing) {
  KeyDirectory keys;
  const auto page = keys.list(kScope, {10, std::nullopt});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->elements.empty());
  EXPECT_FALSE(page->next_marker);
}

TEST(KeyList, GoesOnRightWhileKeysComeAndGo) {
  KeyDirectory keys;
  const auto ids = fill(keys, 50);
  std::set<std::string> removed;
  std::vector<std::string> listed;
  PageRequest request{3, std::nullopt};
  while (true) {
    const auto page = keys.list(kScope, request);
    ASSERT_TRUE(page);
    for (const auto& key : page->elements) listed.push_back(key->id());
    if (!page->next_marker) break;
    request.marker = page->next_marker;
    // The key that the marker names goes away, and another comes.
    keys.erase(listed.back());
    removed.insert(listed.back());
    fill(keys, 1);
  }
  std::set<std::string> seen;
  for (const auto& id : listed) EXPECT_TRUE(seen.insert(id).second) << "listed twice";
  for (const auto& id : ids) EXPECT_TRUE(seen.contains(id)) << "not listed";
  EXPECT_FALSE(removed.empty());
}

TEST(KeyList, ShowsNoKeyOfAnotherAccountOrRegion) {
  KeyDirectory keys;
  const auto mine = fill(keys, 2);
  auto other_account = a_key_record();
  other_account.account = "999999999999";
  auto smaller_account = a_key_record();
  smaller_account.account = "000000000000";
  auto other_region = a_key_record();
  other_region.region = "eu-central-2";
  for (const auto& record : {other_account, smaller_account, other_region}) {
    keys.put(std::make_shared<const Key>(a_key(record)));
  }
  const auto page = keys.list(kScope, {1000, std::nullopt});
  ASSERT_TRUE(page);
  std::set<std::string> listed;
  for (const auto& key : page->elements) listed.insert(key->id());
  EXPECT_EQ(listed, mine);
}

TEST(KeyList, RefusesAForeignMarker) {
  KeyDirectory keys;
  fill(keys, 2);
  for (const auto& marker : {std::string("x"), make_marker("aliases", "alias/a")}) {
    const auto page = keys.list(kScope, {1, marker});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code(), ErrorCode::kInvalidMarker);
  }
}

TEST(KeyDirectory, KnowsWhatIsDueByTheNewestRow) {
  KeyDirectory keys;
  auto record = a_key_record();
  record.rotation_enabled = true;
  record.next_rotation_at = kStart;
  const auto put = [&] { keys.put(std::make_shared<const Key>(a_key(record))); };
  put();
  EXPECT_TRUE(keys.due(kStart - milliseconds(1)).empty());
  EXPECT_EQ(keys.due(kStart).size(), 1U);
  record.state = KeyState::kDisabled;
  put();
  EXPECT_TRUE(keys.due(kStart).empty());
  record.state = KeyState::kPendingDeletion;
  record.deletion_at = kStart + kDay;
  put();
  EXPECT_TRUE(keys.due(kStart).empty());
  EXPECT_EQ(keys.due(kStart + kDay).size(), 1U);
  record.state = KeyState::kEnabled;
  record.deletion_at.reset();
  record.next_rotation_at = kStart + 2 * kDay;
  put();
  EXPECT_TRUE(keys.due(kStart + kDay).empty());
  EXPECT_EQ(keys.due(kStart + 2 * kDay).size(), 1U);
  keys.erase(record.id);
  EXPECT_TRUE(keys.due(kStart + 9 * kDay).empty());
  EXPECT_EQ(keys.find(record.id), nullptr);
}

TEST(KeyDirectory, KnowsWhatIsUnfinishedByTheNewestRow) {
  KeyDirectory keys;
  const auto record = a_key_record();
  const auto rotation = an_intent(record, store::IntentKind::kRotateOnDemand);
  keys.put(std::make_shared<const Key>(a_key(record, 1, rotation)));
  EXPECT_EQ(keys.unfinished().size(), 1U);
  auto unannounced = a_material_record(record, 1);
  unannounced.announced = false;
  keys.put(std::make_shared<const Key>(
      record,
      std::vector{
          std::make_shared<const KeyMaterial>(a_material_record(record, 0), kind_of(record)),
          std::make_shared<const KeyMaterial>(unannounced, kind_of(record))},
      std::nullopt));
  EXPECT_EQ(keys.unfinished().size(), 1U);
  keys.put(std::make_shared<const Key>(a_key(record, 2)));
  EXPECT_TRUE(keys.unfinished().empty());
}

store::AliasRecord an_alias(const std::string& name, const std::string& target) {
  store::AliasRecord alias;
  alias.account = kAccount;
  alias.region = kRegion;
  alias.name = name;
  alias.target_key_id = target;
  alias.created_at = alias.updated_at = kStart;
  return alias;
}

std::vector<std::string> list_all(const AliasDirectory& aliases, std::string_view key_id,
                                  std::size_t limit) {
  std::vector<std::string> names;
  PageRequest request{limit, std::nullopt};
  while (true) {
    const auto page = aliases.list(kScope, key_id, request);
    EXPECT_TRUE(page.has_value());
    for (const auto& alias : page->elements) names.push_back(alias.name);
    if (!page->next_marker) return names;
    request.marker = page->next_marker;
  }
}

TEST(AliasList, ShowsEachAliasOnceAndThoseOfOneKeyAlone) {
  AliasDirectory aliases;
  std::vector<std::string> all;
  std::vector<std::string> of_b;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string name = std::string("alias/") + c;
    all.push_back(name);
    const bool second = (c - 'a') % 2 == 1;
    if (second) of_b.push_back(name);
    aliases.put(an_alias(name, second ? "key-b" : "key-a"));
  }
  for (const std::size_t limit : {1, 2, 13, 25, 26, 100}) {
    EXPECT_EQ(list_all(aliases, "", limit), all);
    EXPECT_EQ(list_all(aliases, "key-b", limit), of_b);
    EXPECT_TRUE(list_all(aliases, "key-c", limit).empty());
  }
  EXPECT_EQ(aliases.count(kScope, "key-b"), of_b.size());
}

TEST(AliasDirectory, FollowsAnAliasToItsNewTarget) {
  AliasDirectory aliases;
  aliases.put(an_alias("alias/x", "key-a"));
  aliases.put(an_alias("alias/x", "key-b"));
  EXPECT_EQ(aliases.find(kScope, "alias/x")->target_key_id, "key-b");
  EXPECT_EQ(aliases.count(kScope, "key-a"), 0U);
  EXPECT_EQ(list_all(aliases, "", 10).size(), 1U);
  aliases.erase(kScope, "alias/x");
  EXPECT_FALSE(aliases.find(kScope, "alias/x"));
  EXPECT_EQ(aliases.count(kScope, "key-b"), 0U);
}

TEST(AliasDirectory, ErasesTheAliasesOfOneKeyAndNoOthers) {
  AliasDirectory aliases;
  aliases.put(an_alias("alias/1", "key"));
  aliases.put(an_alias("alias/2", "key"));
  aliases.put(an_alias("alias/3", "key-longer"));
  auto elsewhere = an_alias("alias/1", "key");
  elsewhere.region = "us-east-1";
  aliases.put(elsewhere);
  aliases.erase_target(kScope, "key");
  EXPECT_EQ(list_all(aliases, "", 10), std::vector<std::string>{"alias/3"});
  EXPECT_TRUE(aliases.find({std::string(kAccount), "us-east-1"}, "alias/1"));
}

TEST(AliasDirectory, TellsNamesThatDifferInCaseApart) {
  AliasDirectory aliases;
  aliases.put(an_alias("alias/x", "key-a"));
  EXPECT_FALSE(aliases.find(kScope, "alias/X"));
}

TEST(RotationList, ShowsRotationsOldestFirstAndTheFirstMaterialOnlyWhenAsked) {
  const Key key = a_key(a_key_record(), 6);
  for (const std::size_t limit : {1, 2, 5, 6, 100}) {
    for (const auto listing : {RotationListing::kRotationsOnly, RotationListing::kAllKeyMaterial}) {
      std::vector<int> sequences;
      PageRequest request{limit, std::nullopt};
      while (true) {
        const auto page = list_rotations(key, listing, request);
        ASSERT_TRUE(page);
        ASSERT_LE(page->elements.size(), limit);
        for (const auto& material : page->elements) sequences.push_back(material->record.sequence);
        if (!page->next_marker) break;
        request.marker = page->next_marker;
      }
      if (listing == RotationListing::kRotationsOnly) {
        EXPECT_EQ(sequences, (std::vector{1, 2, 3, 4, 5}));
      } else {
        EXPECT_EQ(sequences, (std::vector{0, 1, 2, 3, 4, 5}));
      }
    }
  }
}

TEST(RotationList, OfAKeyThatNeverRotatedIsEmpty) {
  const auto page =
      list_rotations(a_key(a_key_record()), RotationListing::kRotationsOnly, {100, std::nullopt});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->elements.empty());
  EXPECT_FALSE(page->next_marker);
}

TEST(RotationList, RefusesAMarkerOfAnotherKey) {
  const Key one = a_key(a_key_record(), 3);
  const Key other = a_key(a_key_record(), 3);
  const auto page = list_rotations(one, RotationListing::kAllKeyMaterial, {1, std::nullopt});
  ASSERT_TRUE(page && page->next_marker);
  const auto foreign =
      list_rotations(other, RotationListing::kAllKeyMaterial, {1, page->next_marker});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), ErrorCode::kInvalidMarker);
}

}  // namespace
}  // namespace keyhold::kms
