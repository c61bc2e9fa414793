// The fixture of what every Store promises, on every engine.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"
#include "tests/store/records.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::store::testing {

using ::keyhold::test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Engine {
  std::string name;
  std::function<Result<std::unique_ptr<Store>>(const std::string& path)> open;
  /// Runs SQL behind the back of a store that is not open.
  std::function<void(const std::string& path, const std::string& sql)> execute;
};

inline void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.name; }

/// All of them.
std::vector<Engine> engines();

class StoreContract : public ::testing::TestWithParam<Engine> {
 protected:
  StoreContract() { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = GetParam().open(folder_.file("store.db"));
    ASSERT_TRUE(opened.has_value()) << reason(opened);
    store_ = *std::move(opened);
  }

  void execute(const std::string& sql) {
    store_.reset();
    GetParam().execute(folder_.file("store.db"), sql);
    reopen();
  }

  Contents load() {
    auto contents = store_->load();
    EXPECT_TRUE(contents.has_value()) << reason(contents);
    return contents ? *std::move(contents) : Contents{};
  }

  /// A born key and its first material.
  std::pair<KeyRecord, MaterialRecord> born() {
    const KeyRecord key = a_key();
    const IntentRecord intent = an_intent(key);
    const MaterialRecord material = material_of(intent);
    EXPECT_OK(store_->begin_key(key, intent));
    EXPECT_OK(store_->finish_key(material));
    return {key, material};
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace keyhold::store::testing
