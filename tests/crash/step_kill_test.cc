// SIGKILL before and after each durable step of creation, rotation and deletion, and around each
// call to the token inside them, one by one. This program starts itself as a child that runs the
// service and dies at its step; then the parent starts the service over the same folder and looks.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/key_spec.h"
#include "tests/crash/child.h"
#include "tests/kms/fixture.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/wrapped_material.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using namespace keyhold::crash;
using keyhold::test::TemporaryFolder;

constexpr TimePoint kDeletionDue = kStart + 7 * kDay;
constexpr TimePoint kRotationDue = kStart + 90 * kDay;

/// The operations that create, and what: of each way in which materials are made, one.
struct Creation {
  std::string_view operation;
  KeySpec spec;
  KeyUsage usage;
};
constexpr std::array<Creation, 4> kCreations = {{
    {"createFirst", KeySpec::kSymmetricDefault, KeyUsage::kEncryptDecrypt},
    {"create", KeySpec::kSymmetricDefault, KeyUsage::kEncryptDecrypt},
    {"createPair", KeySpec::kEccNistP256, KeyUsage::kSignVerify},
    {"createMac", KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac},
}};

const Creation* find_creation(std::string_view operation) {
  const auto found = std::ranges::find(kCreations, operation, &Creation::operation);
  return found == kCreations.end() ? nullptr : &*found;
}

// ----------------------------------------------------------------------------------- the child

constexpr TimePoint kMaterialEnd = kStart + kDay;

bool is_import(const std::string& operation) {
  return operation == "import" || operation == "importAgain" || operation == "deleteMaterial" ||
         operation == "expire";
}

/// The same in each process: the parent imports what the child did.
Bytes material_to_import() { return Bytes(32, 0x5a); }

/// Imports, imports once more what was deleted, deletes, or lets expire. Answers how the child
/// ends.
int run_import(World& world, const Notes& notes, const std::string& operation,
               const std::function<void()>& begin) {
  world.options.service_key = world.service().inspect_key(notes.one("key"))->current_material().use;
  world.close();
  if (!world.try_open()) return 3;
  Service& service = world.service();
  const KeyPtr key = world.create_external_key();
  notes.write("external", key->id());
  const auto parameters =
      service.import_parameters(*key, KeySpec::kRsa2048, WrappingAlgorithm::kRsaesOaepSha1);
  if (!parameters) return 4;
  ImportRequest request;
  request.import_token = parameters->import_token;
  request.encrypted_key_material = keyhold::test::wrap_material(
      parameters->public_key, WrappingAlgorithm::kRsaesOaepSha1, material_to_import());
  request.valid_to = kMaterialEnd;
  if (operation != "import") {
    if (!service.import_material(*key, request)) return 4;
    notes.write("importedBlob", to_base64(world.encrypt(key, "imported")));
  }
  if (operation == "importAgain") {
    if (!service.delete_imported_material(*world.newest(key), {})) return 4;
  }
  if (operation == "expire") {
    world.clock.set(kMaterialEnd);
    begin();
    service.run_due_work();
    return 0;
  }
  begin();
  if (operation == "deleteMaterial") {
    if (!service.delete_imported_material(*world.newest(key), {})) return 4;
  } else if (!service.import_material(*world.newest(key), request)) {
    return 4;
  }
  notes.write("acknowledged", key->id());
  return 0;
}

/// Makes the faults begin: what was called before is not counted.
void write_script(const std::string& folder, const std::string& text) {
  std::ofstream(folder + "/script.draft", std::ios::trunc) << text;
  std::filesystem::rename(folder + "/script.draft", folder + "/script");
}

/// An operation of this name is one with key material of wrapped custody.
constexpr std::string_view kWrapped = "/wrapped";

Custody custody_of(std::string_view operation) {
  return operation.ends_with(kWrapped) ? Custody::kWrapped : Custody::kResident;
}

/// HMAC of the same message each time.
std::string mac_of(Service& service, const Key& key) {
  const auto mac = service.sign(key, Algorithm::kHmacSha256, {MessageType::kRaw, as_bytes("mac")});
  return mac ? to_base64(*mac) : "";
}

/// Rotates the wrapping key under which an older and the current material of a key are, and that of
/// an HMAC key. Answers how the child ends.
int run_rewrapping(World& world, const Notes& notes, const KeyPtr& key,
                   const std::function<void()>& begin) {
  Service& service = world.service();
  if (!service.rotate_on_demand(*key)) return 4;
  const KeyPtr mac_key = world.create_key({}, {KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac});
  notes.write("macKey", mac_key->id());
  notes.write("mac", mac_of(service, *mac_key));
  notes.write("rotatedBlob", to_base64(world.encrypt(key, "rotated")));
  notes.write("wrappingKey", service.wrapping_keys().front().record.object_name.hex());
  begin();
  if (!service.rotate_wrapping_key()) return 4;
  notes.write("acknowledged", service.wrapping_keys().front().record.object_name.hex());
  service.run_due_work();
  return 0;
}

/// `--child FOLDER OPERATION before|after STEP steps|calls`: brings a service to where the
/// operation begins, and lets it run with death at its step. Exits with 0 if there is no such step.
int be_child(const std::vector<std::string>& arguments) {
  const std::string& folder = arguments.at(0);
  const Custody custody = custody_of(arguments.at(1));
  const std::string operation = arguments.at(1).substr(0, arguments.at(1).find(kWrapped));
  const Moment moment = arguments.at(2) == "before" ? Moment::kBefore : Moment::kAfter;
  const int step = std::stoi(arguments.at(3));
  const bool at_calls = arguments.at(4) == "calls";

  const Notes notes(folder);
  World world(folder);
  // The first key of wrapped custody also makes what it is wrapped under.
  if (operation != "createFirst") world.custody = custody;
  Executioner executioner(moment, at_calls ? -1 : step);
  if (at_calls) {
    ::setenv("KEYHOLD_FAULT_MODULE", kSoftHsm, 1);
    ::setenv("KEYHOLD_FAULT_SCRIPT", (folder + "/script").c_str(), 1);
    write_script(folder, "");
    world.module = keyhold::test::fault_module();
  }
  const auto begin = [&] {
    executioner.arm();
    if (at_calls) {
      write_script(folder, "* " + std::to_string(step) +
                               (moment == Moment::kBefore ? " exit-before\n" : " exit-after\n"));
    }
  };
  executioner.install({&world.store_hook, &world.token_hook});
  world.events.on_tell([&]() -> Result<void> {
    if (!world.events.rotations().empty()) {
      notes.write("told", world.events.rotations().back().current_material_id);
    }
    if (!world.events.deletions().empty()) {
      notes.write("told", world.events.deletions().back().key_id);
    }
    if (!world.events.wrapping_key_rotations().empty()) {
      notes.write("told", world.events.wrapping_key_rotations().back().previous_wrapping_key);
    }
    if (!world.events.expiries().empty()) {
      notes.write("told", world.events.expiries().back().material_id);
    }
    return {};
  });

  if (operation == "restart") {
    begin();
    if (!world.try_open()) return 3;
    world.service().run_due_work();
    ::_exit(0);
  }
  if (!world.try_open()) return 3;
  const KeyPtr key = world.create_key();
  notes.write("key", key->id());
  notes.write("blob", to_base64(world.encrypt(key, "before")));
  if (operation == "createFirst") {
    world.custody = custody;
    world.close();
    if (!world.try_open()) return 3;
  }
  Service& service = world.service();
  if (const Creation* creation = find_creation(operation)) {
    NewKey wanted;
    wanted.spec = creation->spec;
    wanted.usage = creation->usage;
    begin();
    const auto created = service.create_key(world.scope, wanted);
    if (!created) return 4;
    notes.write("acknowledged", (*created)->id());
  } else if (operation == "rotate") {
    begin();
    if (!service.rotate_on_demand(*key)) return 4;
    notes.write("acknowledged", world.newest(key)->current_material().record.material_id);
  } else if (operation == "automatic") {
    if (!service.enable_rotation(*key, 90)) return 4;
    world.clock.set(kRotationDue);
    begin();
    service.run_due_work();
  } else if (operation == "delete") {
    if (!service.rotate_on_demand(*key)) return 4;
    if (!service.create_alias(world.scope, "alias/doomed", *key)) return 4;
    if (!service.schedule_deletion(*key, 7)) return 4;
    world.clock.set(kDeletionDue);
    begin();
    service.run_due_work();
  } else if (operation == "rewrap") {
    if (const int failed = run_rewrapping(world, notes, key, begin)) return failed;
  } else if (is_import(operation)) {
    if (const int failed = run_import(world, notes, operation, begin)) return failed;
  } else if (operation == "grant" || operation == "retire") {
    // Any material will do to seal grant tokens under.
    world.options.service_key = key->current_material().use;
    world.close();
    if (!world.try_open()) return 3;
    Service& granting = world.service();
    const KeyPtr granted = granting.inspect_key(notes.one("key"));
    NewGrant wanted;
    wanted.grantee = "arn:aws:iam::111122223333:user/grantee";
    wanted.operations = {GrantOperation::kEncrypt};
    wanted.context_constraint = ContextConstraint::kEquals;
    wanted.context = {{"a", "1"}, {"b", "2"}};
    if (operation == "grant") begin();
    const auto created = granting.create_grant(*granted, wanted, kAccount);
    if (!created) return 4;
    notes.write(operation == "grant" ? "acknowledged" : "granted", created->grant_id);
    if (operation == "retire") {
      const auto grant = granting.find_grant(*granted, created->grant_id);
      if (!grant) return 4;
      begin();
      if (!granting.delete_grant(**grant)) return 4;
      notes.write("acknowledged", created->grant_id);
    }
  } else {
    return 5;
  }
  // Nothing more is asked of the token, whose faults may still wait.
  ::_exit(0);
}

// ---------------------------------------------------------------------------------- the parent

void expect_after_import(World& world, const Notes& notes, const std::string& operation) {
  const KeyPtr key = world.service().inspect_key(notes.one("external"));
  ASSERT_TRUE(key);
  const bool imported = key->record().state == KeyState::kEnabled;
  const bool removes = operation == "deleteMaterial" || operation == "expire";
  if (operation == "expire") {
    EXPECT_FALSE(imported) << "material is there after its time";
    EXPECT_TRUE(notes.has("told") || !world.events.expiries().empty()) << "nobody was told";
  } else if (notes.has("acknowledged")) {
    EXPECT_EQ(imported, !removes) << "what was said is not so";
  }
  // The next import works, and with it what was encrypted before.
  world.options.service_key = world.service().inspect_key(notes.one("key"))->current_material().use;
  world.restart();
  const auto again = world.import(key, material_to_import());
  ASSERT_TRUE(again) << why(again);
  if (notes.has("importedBlob")) {
    const auto plain = world.decrypt(*from_base64(notes.one("importedBlob")));
    ASSERT_TRUE(plain) << why(plain);
    EXPECT_EQ(plain->plaintext.text(), "imported");
  }
}

void expect_after_rewrapping(World& world, const Notes& notes) {
  Service& service = world.service();
  const auto wrapping_keys = service.wrapping_keys();
  ASSERT_EQ(wrapping_keys.size(), 1U) << "the rotation is not at its end";
  const std::string current = wrapping_keys.front().record.object_name.hex();
  if (notes.has("acknowledged")) {
    EXPECT_EQ(current, notes.one("acknowledged"));
  }
  if (current != notes.one("wrappingKey")) {
    bool told = notes.one("told") == notes.one("wrappingKey");
    for (const auto& event : world.events.wrapping_key_rotations()) {
      told |= event.previous_wrapping_key == notes.one("wrappingKey");
    }
    EXPECT_TRUE(told) << "nobody was told of the rotation";
  }
  EXPECT_EQ(wrapping_keys.front().materials, 3U);
  const KeyPtr mac_key = service.inspect_key(notes.one("macKey"));
  ASSERT_TRUE(mac_key);
  EXPECT_EQ(mac_of(service, *mac_key), notes.one("mac"));
  const auto plain = world.decrypt(*from_base64(notes.one("rotatedBlob")));
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->plaintext.text(), "rotated");
}

/// What is to be true of the service that comes after, whatever the step.
void expect_after(World& world, const Notes& notes, const std::string& operation) {
  Service& service = world.service();
  const KeyPtr key = service.inspect_key(notes.one("key"));
  const auto rows = world.store().load();
  ASSERT_TRUE(rows);

  if (operation == "delete") {
    // The date has come and the deletion is acknowledged: now it happens to its end.
    EXPECT_EQ(key, nullptr);
    EXPECT_TRUE(world.object_names().empty());
    EXPECT_TRUE(rows->keys.empty() && rows->materials.empty() && rows->aliases.empty());
    bool told = notes.one("told") == notes.one("key");
    for (const auto& event : world.events.deletions()) told |= event.key_id == notes.one("key");
    EXPECT_TRUE(told) << "nobody was told of the deletion";
    EXPECT_TRUE(world.create_key());
    return;
  }

  ASSERT_TRUE(key) << "a key that was there before is gone";
  if (operation == "grant" || operation == "retire") {
    const auto page = service.list_grants({.key_id = key->id()}, {});
    ASSERT_TRUE(page);
    ASSERT_LE(page->elements.size(), 1U);
    if (notes.has("acknowledged")) {
      EXPECT_EQ(page->elements.size(), operation == "grant" ? 1U : 0U) << "what was said is not so";
    }
    for (const auto& grant : page->elements) EXPECT_EQ(grant->context.size(), 2U);
    return;
  }
  if (is_import(operation)) {
    expect_after_import(world, notes, operation);
    return;
  }
  const auto plain = world.decrypt(*from_base64(notes.one("blob")));
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->plaintext.text(), "before");

  if (operation == "rewrap") {
    expect_after_rewrapping(world, notes);
  } else if (find_creation(operation) != nullptr) {
    EXPECT_LE(rows->keys.size(), 2U);
    if (notes.has("acknowledged")) {
      EXPECT_TRUE(service.inspect_key(notes.one("acknowledged"))) << "an acknowledged key is gone";
    }
  } else {
    const auto& materials = key->materials();
    EXPECT_LE(materials.size(), 2U);
    if (operation == "automatic") {
      EXPECT_EQ(materials.size(), 2U) << "a rotation that was due is lost";
      EXPECT_EQ(key->record().next_rotation_at, kRotationDue + 90 * kDay);
      EXPECT_EQ(key->record().on_demand_rotations, 0);
    } else if (notes.has("acknowledged")) {
      EXPECT_EQ(key->current_material().record.material_id, notes.one("acknowledged"));
    }
    if (materials.size() == 2) {
      const std::string& id = materials.back()->record.material_id;
      auto told = notes.all("told");
      for (const auto& event : world.events.rotations()) told.push_back(event.current_material_id);
      EXPECT_NE(std::ranges::count(told, id), 0) << "nobody was told of the rotation";
    }
  }
  // The next steps work.
  const auto rotated = service.rotate_on_demand(*key);
  EXPECT_TRUE(rotated) << why(rotated);
  EXPECT_TRUE(world.create_key());
}

/// A key that callers see, before its date has come again, can be kept: none of its objects is
/// gone.
void expect_seen_is_usable(World& world) {
  const auto listed = world.service().list_keys(world.scope, {});
  ASSERT_TRUE(listed);
  for (const auto& key : listed->elements) {
    for (const auto& material : key->materials()) {
      const auto checked = world.token().check_material(material->use);
      EXPECT_TRUE(checked) << "a key may still be kept that is half destroyed: " << why(checked);
    }
  }
}

TimePoint time_of(const std::string& operation) {
  if (operation == "delete") return kDeletionDue;
  if (operation == "automatic") return kRotationDue;
  if (operation == "expire") return kMaterialEnd;
  return kStart;
}

/// Starts the service over what the child left. `strangers`: how many objects may have been given
/// up; each must be reported, which expect_whole() sees to.
void look(const std::string& folder, const std::string& operation_of_custody,
          std::size_t strangers) {
  World world(folder);
  world.custody = custody_of(operation_of_custody);
  const std::string operation = operation_of_custody.substr(0, operation_of_custody.find(kWrapped));
  ASSERT_NO_FATAL_FAILURE(world.open());
  if (operation == "delete") expect_seen_is_usable(world);
  world.clock.set(time_of(operation));
  world.service().run_due_work();
  EXPECT_LE(world.expect_whole(), strangers);
  expect_after(world, Notes(folder), operation);
  EXPECT_LE(world.expect_whole(), strangers);
}

class StepKill : public ::testing::TestWithParam<std::tuple<std::string, Moment>> {
 protected:
  void kill_at_each(const std::string& at, int at_least, std::size_t strangers) {
    const auto& [operation, moment] = GetParam();
    for (int step = 1; step < 400; ++step) {
      SCOPED_TRACE(operation + ", killed " + (moment == Moment::kBefore ? "before " : "after ") +
                   at + " " + std::to_string(step));
      const TemporaryFolder folder;
      const Fate fate = run_child(folder.path(), operation, moment, step, at);
      look(folder.path(), operation, strangers);
      if (HasFailure()) return;
      if (fate == Fate::kLived) {
        EXPECT_GT(step, at_least) << "the kills never met the operation";
        return;
      }
    }
    FAIL() << "the operation has no end";
  }
};

INSTANTIATE_TEST_SUITE_P(
    Operations, StepKill,
    ::testing::Combine(::testing::Values("create", "create/wrapped", "createFirst/wrapped",
                                         "createPair", "createMac", "createMac/wrapped", "rotate",
                                         "rotate/wrapped", "automatic", "automatic/wrapped",
                                         "delete", "delete/wrapped", "rewrap/wrapped", "import",
                                         "importAgain", "deleteMaterial", "expire"),
                       ::testing::Values(Moment::kBefore, Moment::kAfter)),
    [](const auto& parameter) {
      std::string name = std::get<0>(parameter.param);
      std::erase(name, '/');
      return name + (std::get<1>(parameter.param) == Moment::kBefore ? "Before" : "After");
    });

TEST_P(StepKill, AtEachStepLosesNothingAcknowledgedAndLeavesNothingHalf) {
  kill_at_each("steps", 2, 0);
}

TEST_P(StepKill, AtEachCallToTheTokenLosesNothingAcknowledgedAndLeavesNothingHalf) {
  // A pair that is given up leaves two objects; of an import, and of what is wrapped, nothing is
  // left.
  if (is_import(std::get<0>(GetParam())) ||
      custody_of(std::get<0>(GetParam())) == Custody::kWrapped) {
    kill_at_each("calls", 5, 0);
    return;
  }
  const Creation* creation = find_creation(std::get<0>(GetParam()));
  kill_at_each("calls", 5, creation != nullptr && is_pair(creation->spec) ? 2 : 1);
}

TEST(StepKillGrants, LoseNothingAcknowledgedAndLeaveNothingHalf) {
  for (const std::string operation : {"grant", "retire"}) {
    for (const Moment moment : {Moment::kBefore, Moment::kAfter}) {
      int step = 1;
      for (; step < 50; ++step) {
        SCOPED_TRACE(operation + ", killed at step " + std::to_string(step));
        const TemporaryFolder folder;
        const Fate fate = run_child(folder.path(), operation, moment, step, "steps");
        look(folder.path(), operation, 0);
        if (HasFailure()) return;
        if (fate == Fate::kLived) break;
      }
      EXPECT_GT(step, 1) << "the kills never met the operation";
    }
  }
}

TEST(StepKillTwice, WhileTheRestartFinishesWhatWasLeftStillFinishesIt) {
  for (const std::string operation : {"create", "rotate", "delete", "create/wrapped",
                                      "rotate/wrapped", "delete/wrapped", "rewrap/wrapped"}) {
    const std::string restart =
        custody_of(operation) == Custody::kWrapped ? "restart/wrapped" : "restart";
    for (const Moment moment : {Moment::kBefore, Moment::kAfter}) {
      // Which step of the operation is left behind: after the intent, and after the object.
      for (const int left_at : {2, 3}) {
        for (int step = 1; step < 50; ++step) {
          SCOPED_TRACE(operation + " left at " + std::to_string(left_at) + ", restart killed at " +
                       std::to_string(step));
          const TemporaryFolder folder;
          ASSERT_EQ(run_child(folder.path(), operation, Moment::kAfter, left_at, "steps"),
                    Fate::kDied);
          const Fate fate = run_child(folder.path(), restart, moment, step, "steps");
          look(folder.path(), operation, 0);
          if (HasFailure()) return;
          if (fate == Fate::kLived) break;
        }
      }
    }
  }
}

}  // namespace
}  // namespace keyhold::kms

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--child") {
    return keyhold::kms::be_child({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
