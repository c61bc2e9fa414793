#include "token/storage_folders.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <thread>

namespace keyhold::token {
namespace {

namespace fs = std::filesystem;

class StorageFoldersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/dev/shm/keyhold-folders-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    object_ = folder_ / "token-a" / "token.object";
    copy_ = folder_ / "token-a.token-object";
    fs::create_directory(folder_ / "token-a");
    fs::create_directory(folder_ / "lost+found");
    write(object_, "pins");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void write(const fs::path& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  StorageFolders folders(TokenObjectCopy copy = TokenObjectCopy::kKept) const {
    return {{folder_.string()}, copy};
  }

  fs::path folder_;
  fs::path object_;
  fs::path copy_;
};

TEST_F(StorageFoldersTest, ACopyIsKeptAndFollowsTheOriginal) {
  ASSERT_TRUE(folders().keep_token_objects());
  EXPECT_EQ(read(copy_), "pins");
  write(object_, "new pins");
  ASSERT_TRUE(folders().keep_token_objects());
  EXPECT_EQ(read(copy_), "new pins");
}

TEST_F(StorageFoldersTest, AnEmptyOriginalNeverReplacesTheCopy) {
  ASSERT_TRUE(folders().keep_token_objects());
  write(object_, "");
  EXPECT_FALSE(folders().keep_token_objects());
  EXPECT_EQ(read(copy_), "pins");
}

TEST_F(StorageFoldersTest, AnEmptyOrMissingOriginalIsPutBack) {
  ASSERT_TRUE(folders().keep_token_objects());
  write(object_, "");
  ASSERT_TRUE(folders().restore_token_objects());
  EXPECT_EQ(read(object_), "pins");
  fs::remove(object_);
  ASSERT_TRUE(folders().restore_token_objects());
  EXPECT_EQ(read(object_), "pins");
}

TEST_F(StorageFoldersTest, AnOriginalThatIsWholeIsLeftAlone) {
  ASSERT_TRUE(folders().keep_token_objects());
  write(object_, "new pins");
  ASSERT_TRUE(folders().restore_token_objects());
  EXPECT_EQ(read(object_), "new pins");
}

TEST_F(StorageFoldersTest, AnOriginalThatAnotherLoginIsWritingIsLeftAlone) {
  ASSERT_TRUE(folders().keep_token_objects());
  write(object_, "");
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    write(object_, "pins of the other");
  });
  EXPECT_TRUE(folders().restore_token_objects());
  other.join();
  EXPECT_EQ(read(object_), "pins of the other");
}

TEST_F(StorageFoldersTest, AnEmptyOriginalWithoutACopyIsAnError) {
  write(object_, "");
  EXPECT_EQ(folders().restore_token_objects().error().code(), ErrorCode::kKeyUnavailable);
}

TEST_F(StorageFoldersTest, NothingIsCopiedOrPutBackWhereNoCopyIsWanted) {
  ASSERT_TRUE(folders(TokenObjectCopy::kNone).keep_token_objects());
  EXPECT_FALSE(fs::exists(copy_));
  write(object_, "");
  EXPECT_TRUE(folders(TokenObjectCopy::kNone).restore_token_objects());
  EXPECT_EQ(read(object_), "");
}

TEST_F(StorageFoldersTest, AFolderThatIsGoneIsAnErrorToEach) {
  const StorageFolders gone({(folder_ / "nowhere").string()}, TokenObjectCopy::kKept);
  EXPECT_FALSE(gone.sync_changes_since(StorageFolders::mark()));
  EXPECT_FALSE(gone.restore_token_objects());
  EXPECT_FALSE(gone.keep_token_objects());
}

TEST_F(StorageFoldersTest, NoFoldersNeedNoSync) {
  EXPECT_TRUE(StorageFolders({}, TokenObjectCopy::kNone).sync_changes_since({}));
  EXPECT_TRUE(folders().sync_changes_since({}));
}

TEST_F(StorageFoldersTest, WritingDurablyReplacesTheWholeFile) {
  ASSERT_TRUE(write_durably(object_, "a"));
  EXPECT_EQ(read(object_), "a");
  EXPECT_FALSE(write_durably(folder_ / "nowhere" / "file", "a"));
}

}  // namespace
}  // namespace keyhold::token
