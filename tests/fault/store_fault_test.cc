// Each write that an operation makes to the store fails once, or from there on; then store and
// token are compared.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;

enum class After : std::uint8_t { kGoesOn, kRestart };
enum class Fails : std::uint8_t { kOnce, kFromThereOn };

class NthWrite : public ::testing::TestWithParam<std::tuple<Fails, After, Custody>> {
 protected:
  void SetUp() override {
    world_.custody = std::get<2>(GetParam());
    world_.open();
  }
  Service& service() { return world_.service(); }

  void fail_write(int n) {
    writes_ = 0;
    const bool once = std::get<0>(GetParam()) == Fails::kOnce;
    world_.store_hook.before = [this, n, once](std::string_view) -> Result<void> {
      const int now = ++writes_;
      if (now == n || (!once && now > n)) {
        return Error(ErrorCode::kKmsInternal, {}, "the disk is full");
      }
      return {};
    };
  }
  /// The store works again; whether the nth write had come to pass.
  bool recover(int n) {
    const bool reached = writes_ >= n;
    world_.store_hook.before = nullptr;
    if (std::get<1>(GetParam()) == After::kRestart) world_.restart();
    service().run_due_work();
    return reached;
  }

  template <typename Round>
  void for_each_write(int at_least, const Round& round) {
    for (int n = 1; n < 50; ++n) {
      SCOPED_TRACE("write " + std::to_string(n));
      const bool reached = round(n);
      if (HasFailure()) return;
      if (!reached) {
        EXPECT_GT(n, at_least) << "the operation writes less than it must";
        return;
      }
    }
    FAIL() << "the operation has no end";
  }

  World world_;
  std::atomic<int> writes_{0};
};

INSTANTIATE_TEST_SUITE_P(Ways, NthWrite,
                         ::testing::Combine(::testing::Values(Fails::kOnce, Fails::kFromThereOn),
                                            ::testing::Values(After::kGoesOn, After::kRestart),
                                            ::testing::Values(Custody::kResident,
                                                              Custody::kWrapped)));

TEST_P(NthWrite, FailingLeavesACreationDoneOrNeverBegun) {
  std::size_t keys = 0;
  for_each_write(2, [&](int n) {
    fail_write(n);
    const auto created = service().create_key(world_.scope, {});
    const bool reached = recover(n);
    const std::size_t now = service().list_keys(world_.scope, {})->elements.size();
    if (created) {
      EXPECT_EQ(now, keys + 1);
    } else {
      EXPECT_EQ(created.error().code(), ErrorCode::kKmsInternal) << why(created);
      EXPECT_TRUE(now == keys || now == keys + 1);
    }
    keys = now;
    EXPECT_EQ(world_.expect_whole(), 0U);
    return reached;
  });
}

TEST_P(NthWrite, FailingLeavesARotationDoneOrNeverBegun) {
  for_each_write(3, [&](int n) {
    const KeyPtr key = world_.create_key();
    fail_write(n);
    const auto rotated = service().rotate_on_demand(*key);
    const bool reached = recover(n);
    const auto materials = world_.newest(key)->materials().size();
    if (rotated) {
      EXPECT_EQ(materials, 2U);
    } else {
      EXPECT_EQ(rotated.error().code(), ErrorCode::kKmsInternal) << why(rotated);
      EXPECT_LE(materials, 2U);
    }
    EXPECT_EQ(world_.expect_whole(), 0U);
    return reached;
  });
}

TEST_P(NthWrite, FailingDelaysAnAutomaticRotationAndDoesNotLoseIt) {
  for_each_write(3, [&](int n) {
    const KeyPtr key = world_.create_key();
    EXPECT_TRUE(service().enable_rotation(*key, 90));
    world_.clock.advance(90 * kDay);
    fail_write(n);
    service().run_due_work();
    const bool reached = recover(n);
    EXPECT_EQ(world_.newest(key)->materials().size(), 2U);
    EXPECT_EQ(rotation_status(*world_.newest(key), RotationRules::k2024).value().next_rotation_at,
              world_.clock.now() + 90 * kDay);
    EXPECT_EQ(world_.expect_whole(), 0U);
    EXPECT_TRUE(service().disable_rotation(*key));
    return reached;
  });
}

TEST_P(NthWrite, FailingDelaysADeletionAndDoesNotLoseIt) {
  for_each_write(2, [&](int n) {
    const KeyPtr key = world_.create_key();
    EXPECT_TRUE(service().create_alias(world_.scope, "alias/a", *key));
    EXPECT_TRUE(service().schedule_deletion(*key, 7));
    world_.clock.advance(7 * kDay);
    fail_write(n);
    service().run_due_work();
    const bool reached = recover(n);
    EXPECT_EQ(world_.newest(key), nullptr);
    EXPECT_TRUE(world_.object_names().empty());
    EXPECT_TRUE(world_.store().load()->aliases.empty());
    EXPECT_EQ(world_.expect_whole(), 0U);
    return reached;
  });
}

TEST_P(NthWrite, FailingChangesNothingOfAKeyOrAnAlias) {
  const KeyPtr key = world_.create_key("as it was");
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/kept", *key));
  const auto record = key->record();
  fail_write(1);
  if (std::get<0>(GetParam()) == Fails::kOnce) return;
  EXPECT_EQ(code_of(service().disable_key(*key)), ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().update_description(*key, "x")), ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().schedule_deletion(*key, 7)), ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().enable_rotation(*key, 90)), ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().create_alias(world_.scope, "alias/a", *key)),
            ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().delete_alias(world_.scope, "alias/kept")), ErrorCode::kKmsInternal);
  EXPECT_EQ(world_.newest(key)->record(), record);
  recover(1);
  EXPECT_EQ(world_.newest(key)->record(), record);
  EXPECT_TRUE(service().find_key(world_.scope, "alias/kept", KeyLookup::kIdArnOrAlias));
  EXPECT_FALSE(service().find_key(world_.scope, "alias/a", KeyLookup::kIdArnOrAlias));
}

class NthWriteOfARewrapping : public NthWrite {};

INSTANTIATE_TEST_SUITE_P(Ways, NthWriteOfARewrapping,
                         ::testing::Combine(::testing::Values(Fails::kOnce, Fails::kFromThereOn),
                                            ::testing::Values(After::kGoesOn, After::kRestart),
                                            ::testing::Values(Custody::kWrapped)));

TEST_P(NthWriteOfARewrapping, FailingDelaysItAndLosesNothing) {
  const KeyPtr key = world_.create_key();
  const Bytes blob = world_.encrypt(key, "before");
  EXPECT_TRUE(service().rotate_on_demand(*key));
  // Intent, end, one write for each material, condemnation, erasure.
  for_each_write(5, [&](int n) {
    const ObjectName before = service().wrapping_keys().front().record.object_name;
    fail_write(n);
    const auto begun = service().rotate_wrapping_key();
    service().run_due_work();
    const bool reached = recover(n);
    const auto keys = service().wrapping_keys();
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys.front().materials, 2U);
    if (begun) {
      EXPECT_NE(keys.front().record.object_name, before);
    }
    const auto plain = world_.decrypt(blob);
    EXPECT_TRUE(plain) << why(plain);
    EXPECT_EQ(world_.expect_whole(), 0U);
    return reached;
  });
}

}  // namespace
}  // namespace keyhold::kms
