// Each call that creation and rotation make to the token fails once, in each of several ways; then
// store and token are compared: the old state or the new one, and nothing half done.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/kms/fixture.h"
#include "tests/support/brought_material.h"
#include "tests/support/fault_files.h"
#include "tests/support/places.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using keyhold::test::FaultFiles;
using namespace std::chrono_literals;

/// What the service may answer to a token that fails: never the caller's fault.
bool blames_the_service(ErrorCode code) { return error_row(code).blame == Blame::kService; }

class NthCall : public ::testing::TestWithParam<std::tuple<std::string, Custody>> {
 protected:
  const std::string& code() const { return std::get<0>(GetParam()); }
  void SetUp() override {
    files_.no_faults();
    world_.custody = std::get<1>(GetParam());
    world_.module = keyhold::test::fault_module();
    world_.profile_overrides = {"recovery.backoff_first=5ms", "recovery.backoff_last=20ms"};
    world_.open();
  }
  void TearDown() override { files_.no_faults(); }
  Service& service() { return world_.service(); }

  /// The token answers again, and what was interrupted is taken to its end.
  void settle() {
    files_.no_faults();
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!world_.token().check()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the token does not come back";
      std::this_thread::sleep_for(2ms);
    }
    service().run_due_work();
  }

  /// Store and token agree; a given-up object may be left, which is reported.
  void expect_whole_with_at_most(std::size_t strangers) {
    const std::size_t found = world_.expect_whole();
    EXPECT_LE(found, strangers);
    strangers_ = found;
  }

  /// Removes the key, so that each round begins alike.
  void remove(const KeyPtr& key) {
    ASSERT_TRUE(service().schedule_deletion(*key, 7));
    world_.clock.advance(7 * kDay);
    service().run_due_work();
    ASSERT_EQ(service().inspect_key(key->id()), nullptr);
  }

  /// Calls `round(n)` for n = 1, 2, … with the nth call failing, until the operation ended before
  /// the nth call. `round` tells whether the operation succeeded.
  template <typename Round>
  void for_each_call(const Round& round) {
    for (int n = 1; n < 500; ++n) {
      SCOPED_TRACE("call " + std::to_string(n) + ": " + code());
      files_.forget_calls();
      files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
      const bool reached = round(n);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      if (!reached) {
        EXPECT_GT(n, 5) << "the faults never met the operation";
        return;
      }
    }
    FAIL() << "the operation has no end";
  }
  /// Whether the nth call came to pass; to be asked before the faults end.
  bool reached(int n) const { return files_.calls() >= static_cast<std::size_t>(n); }

  /// How many objects a secret material that is given up leaves: none, if it was wrapped at once.
  std::size_t left() const { return world_.custody == Custody::kWrapped ? 0 : 1; }

  /// Creation under faults, of such a key; `objects`: how many its material has.
  void fail_creations(const NewKey& wanted, std::size_t objects) {
    for_each_call([&](int n) {
      const auto created = service().create_key(world_.scope, wanted);
      const bool met = reached(n);
      settle();
      if (!created) {
        EXPECT_TRUE(blames_the_service(created.error().code())) << why(created);
        EXPECT_TRUE(met) << why(created);
      }
      const auto keys = service().list_keys(world_.scope, {})->elements;
      EXPECT_LE(keys.size(), 1U);
      if (created) {
        EXPECT_EQ(keys.size(), 1U) << "an acknowledged key is not there";
      }
      expect_whole_with_at_most(strangers_ + objects);
      for (const auto& key : keys) remove(key);
      return met;
    });
    world_.restart();
    expect_whole_with_at_most(strangers_);
  }

  FaultFiles& files_ = FaultFiles::of_process();
  World world_;
  std::size_t strangers_ = 0;
};

std::string name_of(const ::testing::TestParamInfo<std::tuple<std::string, Custody>>& parameter) {
  std::string name = std::get<0>(parameter.param);
  std::ranges::replace(name, ':', '_');
  return name + (std::get<1>(parameter.param) == Custody::kWrapped ? "_wrapped" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Codes, NthCall,
    ::testing::Combine(::testing::Values("CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR",
                                         "CKR_SESSION_HANDLE_INVALID", "CKR_OBJECT_HANDLE_INVALID",
                                         "CKR_FUNCTION_FAILED", "CKR_USER_NOT_LOGGED_IN",
                                         "after:CKR_GENERAL_ERROR", "after:CKR_DEVICE_ERROR",
                                         "after:CKR_SESSION_HANDLE_INVALID",
                                         "after:CKR_FUNCTION_FAILED"),
                       ::testing::Values(Custody::kResident, Custody::kWrapped)),
    name_of);

TEST_P(NthCall, FailingLeavesACreationDoneOrNeverBegun) { fail_creations({}, left()); }

TEST_P(NthCall, FailingLeavesACreationOfAPairDoneOrNeverBegun) {
  NewKey wanted;
  wanted.spec = KeySpec::kEccNistP256;
  wanted.usage = KeyUsage::kSignVerify;
  // Resident in either world.
  fail_creations(wanted, 2);
}

TEST_P(NthCall, FailingLeavesACreationOfAnHmacKeyDoneOrNeverBegun) {
  NewKey wanted;
  wanted.spec = KeySpec::kHmac256;
  wanted.usage = KeyUsage::kGenerateVerifyMac;
  fail_creations(wanted, left());
}

TEST_P(NthCall, FailingLeavesARotationDoneOrNeverBegun) {
  for_each_call([&](int n) {
    files_.no_faults();
    const KeyPtr key = world_.create_key();
    const Bytes before = world_.encrypt(key, "before");
    files_.forget_calls();
    files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
    const auto rotated = service().rotate_on_demand(*key);
    const bool met = reached(n);
    settle();
    if (!rotated) {
      EXPECT_TRUE(blames_the_service(rotated.error().code())) << why(rotated);
      EXPECT_TRUE(met) << why(rotated);
    }
    const std::size_t materials = world_.newest(key)->materials().size();
    EXPECT_LE(materials, 2U);
    if (rotated) {
      EXPECT_EQ(materials, 2U) << "an acknowledged rotation is not there";
    }
    EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, static_cast<int>(materials) - 1);
    const auto plain = world_.decrypt(before);
    EXPECT_TRUE(plain) << why(plain);
    expect_whole_with_at_most(strangers_ + left());
    // The next rotation is not in the way of what became of this one.
    const auto next = service().rotate_on_demand(*key);
    EXPECT_TRUE(next) << why(next);
    remove(key);
    return met;
  });
  world_.restart();
  expect_whole_with_at_most(strangers_);
}

/// An import, the deletion of what was imported, or its end, under faults.
class NthCallOfAnImport : public NthCall {
 protected:
  void SetUp() override {
    NthCall::SetUp();
    world_.allow_imports();
  }

  /// Runs `operation` on a key with imported material, which expires after `valid_for` (0: never),
  /// while the nth call fails, and then sees that the material can be imported again and decrypts
  /// what it encrypted. The same key all the time,
  /// since each has a wrapping key of its own and those are slow to make.
  template <typename Operation>
  void fail_each(milliseconds valid_for, const Operation& operation) {
    const KeyPtr key = world_.create_external_key();
    const auto parameters = world_.import_parameters(key);
    ASSERT_TRUE(parameters) << why(parameters);
    for_each_call([&](int n) {
      files_.no_faults();
      ImportRequest request;
      if (valid_for > 0ms) request.valid_to = world_.clock.now() + valid_for;
      import_again(key, *parameters, request);
      const Bytes blob = world_.encrypt(key, "before");
      files_.forget_calls();
      files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
      operation(key);
      const bool met = reached(n);
      settle();
      service().run_due_work();
      expect_whole_with_at_most(0);
      import_again(key, *parameters);
      const auto plain = world_.decrypt(blob);
      EXPECT_TRUE(plain) << why(plain);
      return met;
    });
    world_.restart();
    expect_whole_with_at_most(0);
  }

  void import_again(const KeyPtr& key, const ImportParameters& parameters,
                    const ImportRequest& request = {}) {
    auto imported = world_.import(key, parameters, kMaterial, request);
    // A loss may be noticed only now, by what looks at the token every now and then.
    for (int again = 0; again < 5 && !imported; ++again) {
      if (code_of(imported) != ErrorCode::kKeyUnavailable) break;
      settle();
      imported = world_.import(key, parameters, kMaterial, request);
    }
    EXPECT_TRUE(imported) << why(imported);
  }

  static inline const Bytes kMaterial{Bytes(32, 0x5a)};
};

INSTANTIATE_TEST_SUITE_P(
    Codes, NthCallOfAnImport,
    ::testing::Combine(::testing::Values("CKR_DEVICE_ERROR", "CKR_SESSION_HANDLE_INVALID",
                                         "CKR_OBJECT_HANDLE_INVALID", "CKR_USER_NOT_LOGGED_IN",
                                         "after:CKR_DEVICE_ERROR",
                                         "after:CKR_SESSION_HANDLE_INVALID"),
                       ::testing::Values(Custody::kResident)),
    name_of);

TEST_P(NthCallOfAnImport, FailingLeavesAWrappingKeyMadeOrNeverBegun) {
  for_each_call([&](int n) {
    files_.no_faults();
    const KeyPtr key = world_.create_external_key();
    files_.forget_calls();
    files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
    const auto parameters = world_.import_parameters(key);
    const bool met = reached(n);
    settle();
    service().run_due_work();
    if (parameters) {
      import_again(key, *parameters);
    } else {
      EXPECT_TRUE(blames_the_service(parameters.error().code())) << why(parameters);
    }
    expect_whole_with_at_most(0);
    remove(world_.newest(key));
    return met;
  });
  world_.restart();
  expect_whole_with_at_most(0);
}

TEST_P(NthCallOfAnImport, FailingLeavesAnImportDoneOrNeverBegun) {
  for_each_call([&](int n) {
    files_.no_faults();
    const KeyPtr key = world_.create_external_key();
    const auto parameters = world_.import_parameters(key);
    EXPECT_TRUE(parameters) << why(parameters);
    files_.forget_calls();
    files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
    const auto imported = world_.import(key, *parameters, kMaterial);
    const bool met = reached(n);
    settle();
    service().run_due_work();
    if (!imported) {
      EXPECT_TRUE(blames_the_service(imported.error().code())) << why(imported);
    }
    expect_whole_with_at_most(0);
    import_again(key, *parameters);
    remove(world_.newest(key));
    return met;
  });
  world_.restart();
  expect_whole_with_at_most(0);
}

class FailingProof : public NthCallOfAnImport {};
INSTANTIATE_TEST_SUITE_P(Codes, FailingProof,
                         ::testing::Values(std::tuple("CKR_GENERAL_ERROR", Custody::kResident)),
                         name_of);

// What a token does not do with a key from outside is the key's fault only if it is well.
TEST_P(FailingProof, IsTheCallersFaultOnlyWhereTheTokenIsWell) {
  const token::MaterialKind kind{KeySpec::kEccNistP256, KeyUsage::kSignVerify};
  const KeyPtr key = world_.create_external_key(kind);
  const auto parameters = world_.import_parameters(key);
  ASSERT_TRUE(parameters) << why(parameters);
  const auto brought = keyhold::test::bring_new(kind);
  const auto import_under = [&](std::string_view faults) {
    // The import token is opened by then, which takes calls of the same functions.
    EXPECT_FALSE(world_.import(key, *parameters, as_bytes("no key")));
    files_.set_script(faults);
    auto imported = world_.import(key, *parameters, brought.bytes.view());
    files_.no_faults();
    return imported;
  };
  for (const std::string_view faults :
       {"C_Sign * CKR_GENERAL_ERROR\n", "C_DeriveKey 1 CKR_TOKEN_NOT_PRESENT\n",
        "C_DeriveKey 1 CKR_DEVICE_ERROR\n"}) {
    SCOPED_TRACE(faults);
    const auto opened = world_.token().health().times_opened;
    const auto imported = import_under(faults);
    EXPECT_EQ(code_of(imported), ErrorCode::kKeyUnavailable) << why(imported);
    settle();
    EXPECT_GT(world_.token().health().times_opened, opened);
  }
  for (const std::string_view faults :
       {"C_Sign 1 CKR_GENERAL_ERROR\n", "C_DeriveKey 1 CKR_GENERAL_ERROR\n"}) {
    SCOPED_TRACE(faults);
    const auto imported = import_under(faults);
    EXPECT_EQ(code_of(imported), ErrorCode::kIncorrectKeyMaterial) << why(imported);
  }
  const auto imported = world_.import(key, *parameters, brought.bytes.view());
  EXPECT_TRUE(imported) << why(imported);
}

TEST_P(NthCallOfAnImport, FailingLeavesADeletionOfMaterialToBeFinished) {
  fail_each(0ms, [&](const KeyPtr& key) {
    const auto deleted = service().delete_imported_material(*world_.newest(key), {});
    if (deleted) {
      EXPECT_EQ(world_.newest(key)->record().state, KeyState::kPendingImport);
    } else {
      EXPECT_TRUE(blames_the_service(deleted.error().code())) << why(deleted);
    }
  });
}

TEST_P(NthCallOfAnImport, FailingLeavesTheEndOfMaterialToBeFinished) {
  fail_each(1min, [&](const KeyPtr& key) {
    world_.clock.advance(1min);
    service().run_due_work();
    EXPECT_EQ(world_.newest(key)->record().state, KeyState::kPendingImport);
  });
}

TEST_P(NthCall, FailingLeavesADeletionToBeFinished) {
  for_each_call([&](int n) {
    files_.no_faults();
    const KeyPtr key = world_.create_key();
    EXPECT_TRUE(service().schedule_deletion(*key, 7));
    world_.clock.advance(7 * kDay);
    files_.forget_calls();
    files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
    service().run_due_work();
    const bool met = reached(n);
    EXPECT_EQ(service().inspect_key(key->id()), nullptr);
    settle();
    service().run_due_work();
    const auto objects = world_.object_names();
    EXPECT_EQ(std::ranges::count(objects, key->current_material().record.object_name.hex()), 0);
    expect_whole_with_at_most(0);
    return met;
  });
}

/// A rotation of the wrapping key under faults.
class NthCallOfARewrapping : public NthCall {};

INSTANTIATE_TEST_SUITE_P(
    Codes, NthCallOfARewrapping,
    ::testing::Combine(::testing::Values("CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR",
                                         "CKR_SESSION_HANDLE_INVALID", "CKR_OBJECT_HANDLE_INVALID",
                                         "CKR_USER_NOT_LOGGED_IN", "after:CKR_GENERAL_ERROR",
                                         "after:CKR_DEVICE_ERROR",
                                         "after:CKR_SESSION_HANDLE_INVALID"),
                       ::testing::Values(Custody::kWrapped)),
    name_of);

TEST_P(NthCallOfARewrapping, FailingLeavesItNeverBegunOrToBeFinished) {
  const KeyPtr key = world_.create_key();
  const Bytes first = world_.encrypt(key, "first");
  ASSERT_TRUE(service().rotate_on_demand(*key));
  const Bytes second = world_.encrypt(key, "second");
  const KeyPtr mac_key = world_.create_key({}, {KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac});
  const Message message{MessageType::kRaw, as_bytes("message")};
  const auto mac = service().sign(*mac_key, Algorithm::kHmacSha256, message);
  ASSERT_TRUE(mac) << why(mac);
  for_each_call([&](int n) {
    const ObjectName before = service().wrapping_keys().front().record.object_name;
    const std::size_t told = world_.events.wrapping_key_rotations().size();
    files_.forget_calls();
    files_.set_script("* " + std::to_string(n) + " " + code() + "\n");
    const auto begun = service().rotate_wrapping_key();
    service().run_due_work();
    const bool met = reached(n);
    settle();
    service().run_due_work();
    if (!begun) {
      EXPECT_TRUE(blames_the_service(begun.error().code())) << why(begun);
      EXPECT_TRUE(met) << why(begun);
    }
    const auto keys = service().wrapping_keys();
    EXPECT_EQ(keys.size(), 1U) << "the rotation is not at its end";
    EXPECT_EQ(keys.front().materials, 3U);
    if (begun) {
      EXPECT_NE(keys.front().record.object_name, before);
    }
    if (keys.front().record.object_name != before) {
      EXPECT_GT(world_.events.wrapping_key_rotations().size(), told) << "nobody was told";
    }
    for (const Bytes& blob : {first, second}) {
      const auto plain = world_.decrypt(blob);
      EXPECT_TRUE(plain) << why(plain);
    }
    const auto again = service().sign(*world_.newest(mac_key), Algorithm::kHmacSha256, message);
    EXPECT_TRUE(again) << why(again);
    if (again) {
      EXPECT_EQ(*again, *mac);
    }
    expect_whole_with_at_most(0);
    return met;
  });
  world_.restart();
  expect_whole_with_at_most(0);
}

}  // namespace
}  // namespace keyhold::kms
