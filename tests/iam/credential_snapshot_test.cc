#include "iam/credential_snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace keyhold::iam {
namespace {

Credential credential(std::string id, std::uint64_t generation) {
  Credential made;
  made.secret_access_key = Secret(std::string_view(id + "-" + std::to_string(generation)));
  made.access_key_id = std::move(id);
  made.generation = generation;
  return made;
}

std::vector<Credential> credentials(std::initializer_list<std::string> ids,
                                    std::uint64_t generation = 1) {
  std::vector<Credential> all;
  for (const std::string& id : ids) all.push_back(credential(id, generation));
  return all;
}

TEST(CredentialSnapshot, FindsWhatItHoldsAndNothingElse) {
  const CredentialSnapshot snapshot(credentials({"AKIA1", "AKIA2"}));
  ASSERT_TRUE(snapshot.find("AKIA2"));
  EXPECT_EQ(snapshot.find("AKIA2")->access_key_id, "AKIA2");
  EXPECT_EQ(snapshot.find("AKIA2")->secret_access_key.text(), "AKIA2-1");
  EXPECT_FALSE(snapshot.find("AKIA3"));
  EXPECT_FALSE(snapshot.find(""));
  EXPECT_FALSE(snapshot.find("akia2"));
  EXPECT_FALSE(CredentialSnapshot().find("AKIA1"));
}

TEST(CredentialSnapshot, TwoSnapshotsOnOneThreadDoNotMix) {
  const CredentialSnapshot one(credentials({"AKIA1"}));
  const CredentialSnapshot two(credentials({"AKIA2"}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(one.find("AKIA1"));
    EXPECT_FALSE(one.find("AKIA2"));
    EXPECT_TRUE(two.find("AKIA2"));
    EXPECT_FALSE(two.find("AKIA1"));
  }
}

TEST(CredentialSnapshot, ASnapshotMadeWhereAnotherWasDoesNotAnswerForIt) {
  for (std::uint64_t i = 0; i < 10; ++i) {
    const CredentialSnapshot snapshot(credentials({"AKIA1"}, i));
    EXPECT_EQ(snapshot.find("AKIA1")->generation, i);
  }
}

TEST(CredentialSnapshot, AReplacedCredentialIsAnotherObjectAndTheOldOneLivesWhileHeld) {
  CredentialSnapshot snapshot(credentials({"AKIA1", "AKIA2"}, 1));
  const auto before = snapshot.find("AKIA1");
  snapshot.replace(credentials({"AKIA1"}, 2));
  const auto after = snapshot.find("AKIA1");
  EXPECT_NE(before, after);
  EXPECT_EQ(before->generation, 1u);
  EXPECT_EQ(before->secret_access_key.text(), "AKIA1-1");
  EXPECT_EQ(after->generation, 2u);
  EXPECT_FALSE(snapshot.find("AKIA2"));
}

TEST(CredentialSnapshot, OfTwoWithOneIdTheLastCounts) {
  std::vector<Credential> twice;
  twice.push_back(credential("AKIA1", 1));
  twice.push_back(credential("AKIA1", 2));
  EXPECT_EQ(CredentialSnapshot(std::move(twice)).find("AKIA1")->generation, 2u);
}

TEST(CredentialSnapshot, ReadersOnAllThreadsSeeEachReplacementOnceItHasReturned) {
  CredentialSnapshot snapshot(credentials({"AKIA1"}, 0));
  std::atomic<std::uint64_t> replaced{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const std::uint64_t at_least = replaced;
        const auto found = snapshot.find("AKIA1");
        ASSERT_TRUE(found);
        ASSERT_GE(found->generation, at_least);
        ASSERT_EQ(found->secret_access_key.text(), "AKIA1-" + std::to_string(found->generation));
      }
    });
  }
  for (std::uint64_t generation = 1; generation <= 500; ++generation) {
    snapshot.replace(credentials({"AKIA1"}, generation));
    replaced = generation;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace keyhold::iam
