#include "token/folder_lock.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;
using keyhold::test::TemporaryFolder;

class FolderLockTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(path_); }

  const TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "token";
};

TEST_F(FolderLockTest, IsOneHoldersUntilItGoes) {
  FolderLock other;
  {
    FolderLock lock;
    EXPECT_TRUE(lock.take(path_));
    EXPECT_TRUE(lock.take(path_));
    const auto refused = other.take(path_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kValidation);
    EXPECT_EQ(refused.error().message(),
              "the token's folder " + path_.string() + " is in use by another process");
  }
  EXPECT_TRUE(other.take(path_));
}

TEST_F(FolderLockTest, StaysWithAFolderThatGoesAwayAndComesBack) {
  FolderLock lock;
  FolderLock other;
  ASSERT_TRUE(lock.take(path_));
  fs::rename(path_, path_.string() + ".away");
  const auto away = lock.take(path_);
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code(), ErrorCode::kKeyUnavailable);
  fs::rename(path_.string() + ".away", path_);
  EXPECT_FALSE(other.take(path_));
  EXPECT_TRUE(lock.take(path_));
}

TEST_F(FolderLockTest, FollowsAFolderThatComesBackAsAnotherOne) {
  FolderLock lock;
  FolderLock other;
  ASSERT_TRUE(lock.take(path_));
  fs::rename(path_, path_.string() + ".old");
  fs::create_directory(path_);
  EXPECT_TRUE(lock.take(path_));
  EXPECT_FALSE(other.take(path_));
  EXPECT_TRUE(other.take(path_.string() + ".old"));
}

}  // namespace
}  // namespace keyhold::token::test
