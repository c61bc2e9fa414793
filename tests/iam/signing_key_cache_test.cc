#include "iam/signing_key_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace keyhold::iam {
namespace {

Credential credential(std::string id, std::uint64_t generation = 1) {
  Credential made;
  made.access_key_id = std::move(id);
  made.generation = generation;
  return made;
}

Secret key(std::string_view text) { return Secret(text); }

TEST(SigningKeyCache, AKeyIsFoundForItsCredentialGenerationAndScopeAlone) {
  SigningKeyCache cache;
  cache.insert(credential("AKIA1"), "20150830/us-east-1/kms/aws4_request", key("one"));
  const auto found = cache.find(credential("AKIA1"), "20150830/us-east-1/kms/aws4_request");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text(), "one");
  EXPECT_FALSE(cache.find(credential("AKIA2"), "20150830/us-east-1/kms/aws4_request"));
  EXPECT_FALSE(cache.find(credential("AKIA1", 2), "20150830/us-east-1/kms/aws4_request"));
  EXPECT_FALSE(cache.find(credential("AKIA1"), "20150831/us-east-1/kms/aws4_request"));
  EXPECT_FALSE(cache.find(credential("AKIA1"), "20150830/us-east-2/kms/aws4_request"));
  EXPECT_FALSE(cache.find(credential("AKIA1"), "20150830/us-east-1/sts/aws4_request"));
}

TEST(SigningKeyCache, InsertingAgainReplacesInsteadOfGrowing) {
  SigningKeyCache cache;
  cache.insert(credential("AKIA1"), "scope", key("one"));
  cache.insert(credential("AKIA1"), "scope", key("two"));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.find(credential("AKIA1"), "scope")->text(), "two");
}

TEST(SigningKeyCache, IsBoundedAndKeepsWhatIsUsed) {
  SigningKeyCache cache;
  cache.insert(credential("AKIA1"), "used", key("kept"));
  for (int i = 0; i < 10000; ++i) {
    cache.insert(credential("AKIA1"), "scope " + std::to_string(i), key("other"));
    ASSERT_TRUE(cache.find(credential("AKIA1"), "used")) << i;
  }
  EXPECT_LE(cache.size(), SigningKeyCache::kSets * SigningKeyCache::kWays);
}

TEST(SigningKeyCache, ForgetDropsTheKeysOfEveryThreadAndNoOthers) {
  SigningKeyCache cache;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      cache.insert(credential("AKIA1"), "scope", key("one"));
      cache.insert(credential("AKIA1"), "other scope", key("one"));
      cache.insert(credential("AKIA2"), "scope", key("two"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.size(), 24u);
  cache.forget("AKIA1");
  EXPECT_EQ(cache.size(), 8u);
  cache.forget("AKIA2");
  EXPECT_EQ(cache.size(), 0u);
}

TEST(SigningKeyCache, ForgettingWhileOthersUseItLosesNothingElse) {
  SigningKeyCache cache;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, id = "AKIA" + std::to_string(i)] {
      for (int n = 0; n < 2000; ++n) {
        cache.insert(credential(id), "scope", key(id));
        const auto found = cache.find(credential(id), "scope");
        ASSERT_TRUE(found);
        ASSERT_EQ(found->text(), id);
        cache.forget("AKIA-gone");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyhold::iam
