// KMS keys whose material is kept wrapped, beside keys whose material is resident, and the rotation
// of the wrapping key.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "kms/service.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;

constexpr token::MaterialKind kHmac{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};

class WrappedCustody : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.custody = Custody::kWrapped;
    ASSERT_NO_FATAL_FAILURE(world_.open());
    service().run_due_work();  // the round that every start begins with is over
  }
  Service& service() { return world_.service(); }

  Custody custody_of(const KeyPtr& key) { return world_.newest(key)->custody(); }
  std::string decrypted(const Bytes& blob) {
    const auto plain = world_.decrypt(blob);
    return plain ? std::string(plain->plaintext.text()) : why(plain);
  }
  Result<Bytes> mac(const KeyPtr& key) {
    return service().sign(*world_.newest(key), Algorithm::kHmacSha256,
                          {MessageType::kRaw, as_bytes("message")});
  }
  /// Starts anew with another profile.
  void restart_with(Custody custody) {
    world_.custody = custody;
    world_.restart();
  }
  /// Runs SQL while the service is down.
  void execute(const std::string& sql) {
    world_.close();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((world_.folder() / "keyhold.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    EXPECT_GT(sqlite3_total_changes(database), 0) << "the statement found no row";
    sqlite3_close(database);
    world_.open();
  }
  ObjectName wrapping_key() { return service().wrapping_keys().front().record.object_name; }
  void rotate_wrapping_key() {
    const auto begun = service().rotate_wrapping_key();
    ASSERT_TRUE(begun) << why(begun);
    service().run_due_work();
    ASSERT_EQ(service().wrapping_keys().size(), 1U);
  }

  World world_;
};

TEST_F(WrappedCustody, KeysWorkAndTheTokenHoldsNoObjectOfThem) {
  const KeyPtr key = world_.create_key();
  const KeyPtr mac_key = world_.create_key({}, kHmac);
  EXPECT_EQ(custody_of(key), Custody::kWrapped);
  EXPECT_EQ(custody_of(mac_key), Custody::kWrapped);
  const Bytes first = world_.encrypt(key, "first");
  ASSERT_TRUE(service().rotate_on_demand(*key));
  EXPECT_EQ(custody_of(key), Custody::kWrapped);
  const Bytes second = world_.encrypt(key, "second");
  const auto made = mac(mac_key);
  ASSERT_TRUE(made) << why(made);
  EXPECT_TRUE(world_.object_names().empty());
  world_.restart();
  EXPECT_EQ(decrypted(first), "first");
  EXPECT_EQ(decrypted(second), "second");
  EXPECT_EQ(*mac(mac_key), *made);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(WrappedCustody, PairsAreResidentAllTheSame) {
  const KeyPtr key = world_.create_key({}, {KeySpec::kEccNistP256, KeyUsage::kSignVerify});
  EXPECT_EQ(custody_of(key), Custody::kResident);
  EXPECT_EQ(world_.object_names().size(), 2U);
  EXPECT_TRUE(service().wrapping_keys().empty()) << "made before it is needed";
}

TEST_F(WrappedCustody, ImportedMaterialIsAnObjectOfTheToken) {
  world_.allow_imports();
  const KeyPtr key = world_.create_external_key();
  ASSERT_TRUE(world_.import(key, Bytes(32, 0x5a)));
  EXPECT_EQ(custody_of(key), Custody::kImported);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(WrappedCustody, AMaterialKeepsItsCustodyWhateverTheProfileSaysLater) {
  const KeyPtr wrapped = world_.create_key();
  const Bytes of_wrapped = world_.encrypt(wrapped, "wrapped");
  restart_with(Custody::kResident);
  const KeyPtr resident = world_.create_key();
  EXPECT_EQ(custody_of(resident), Custody::kResident);
  EXPECT_EQ(custody_of(wrapped), Custody::kWrapped);
  const Bytes of_resident = world_.encrypt(resident, "resident");
  EXPECT_EQ(decrypted(of_wrapped), "wrapped");
  EXPECT_EQ(decrypted(world_.encrypt(wrapped, "again")), "again");
  // A rotation makes what the profile asks for now.
  ASSERT_TRUE(service().rotate_on_demand(*wrapped));
  EXPECT_EQ(custody_of(wrapped), Custody::kResident);
  EXPECT_EQ(world_.newest(wrapped)->materials().front()->record.custody, Custody::kWrapped);
  restart_with(Custody::kWrapped);
  EXPECT_EQ(decrypted(of_wrapped), "wrapped");
  EXPECT_EQ(decrypted(of_resident), "resident");
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(WrappedCustody, BlobsThatWereSwappedBetweenRowsAreRefusedAndAnAlarm) {
  const KeyPtr one = world_.create_key();
  const KeyPtr other = world_.create_key();
  const Bytes blob = world_.encrypt(one, "one");
  const auto row = [](const KeyPtr& key) { return key->current_material().record; };
  execute("UPDATE key_material SET wrapped = '" + to_hex(row(other).wrapped->blob) + "', seal = '" +
          to_hex(row(other).wrapped->seal) + "' WHERE object_name = '" +
          row(one).object_name.hex() + "'");
  EXPECT_EQ(code_of(world_.decrypt(blob)), ErrorCode::kKmsInternal);
  EXPECT_EQ(code_of(service().encrypt(*world_.newest(one), as_bytes("x"), {})),
            ErrorCode::kKmsInternal);
  EXPECT_EQ(decrypted(world_.encrypt(other, "other")), "other");
  const auto report = world_.reconcile();
  ASSERT_EQ(report.alarms.size(), 1U);
  EXPECT_NE(report.alarms[0].find(row(one).material_id), std::string::npos) << report.alarms[0];
}

TEST_F(WrappedCustody, AWrappingKeyThatIsMissingIsAnAlarmAtTheStart) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(world_.token().destroy_material(wrapping_key()));
  world_.restart();
  const auto report = world_.reconcile();
  ASSERT_EQ(report.alarms.size(), 2U) << "the custody key, and the material under it";
  EXPECT_NE(report.alarms[0].find("custody key"), std::string::npos) << report.alarms[0];
  EXPECT_EQ(code_of(service().encrypt(*world_.newest(key), as_bytes("x"), {})),
            ErrorCode::kKmsInternal);
}

TEST_F(WrappedCustody, CustodyKeysAreNoStrangers) {
  world_.create_key();
  const auto report = world_.reconcile();
  EXPECT_TRUE(report.strangers.empty() && report.alarms.empty() && report.withdrawn.empty());
}

TEST_F(WrappedCustody, ACustodyKeyThatWasNeverFinishedIsWithdrawnAndItsObjectsDestroyed) {
  const ObjectName name = ObjectName::draw(world_.random);
  store::CustodyKeyRecord intended;
  intended.object_name = name;
  ASSERT_TRUE(world_.store().begin_custody_key(intended));
  ASSERT_TRUE(world_.token().generate_custody_key(name));
  world_.restart();
  EXPECT_TRUE(world_.store().load()->custody_keys.empty());
  EXPECT_TRUE(world_.token().list_objects()->empty());
  EXPECT_TRUE(world_.create_key());
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(WrappedCustody, TheWrappingKeyIsMadeOnceByAllWhoNeedItFirst) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto made = service().create_key(world_.scope, {});
      EXPECT_TRUE(made) << why(made);
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(service().wrapping_keys().size(), 1U);
  EXPECT_EQ(service().wrapping_keys().front().materials, 4U);
  EXPECT_EQ(world_.token().list_objects()->size(), 2U);
}

// Rotation of the wrapping key.

TEST_F(WrappedCustody, EveryCiphertextDecryptsAfterTheWrappingKeyWasRotated) {
  std::vector<std::pair<Bytes, std::string>> blobs;
  std::vector<KeyPtr> keys;
  for (int k = 0; k < 3; ++k) {
    keys.push_back(world_.create_key());
    for (int m = 0; m < 3; ++m) {
      const std::string text = std::to_string(k) + "/" + std::to_string(m);
      blobs.emplace_back(world_.encrypt(keys.back(), text), text);
      ASSERT_TRUE(service().rotate_on_demand(*keys.back()));
    }
  }
  const KeyPtr mac_key = world_.create_key({}, kHmac);
  const Bytes made = *mac(mac_key);
  const ObjectName before = wrapping_key();
  EXPECT_EQ(service().wrapping_keys().front().materials, 13U);

  ASSERT_NO_FATAL_FAILURE(rotate_wrapping_key());
  EXPECT_NE(wrapping_key(), before);
  EXPECT_EQ(service().wrapping_keys().front().materials, 13U);
  for (const auto& [blob, text] : blobs) EXPECT_EQ(decrypted(blob), text);
  EXPECT_EQ(*mac(mac_key), made);
  world_.restart();
  for (const auto& [blob, text] : blobs) EXPECT_EQ(decrypted(blob), text);
  EXPECT_EQ(*mac(mac_key), made);
  EXPECT_EQ(world_.token().list_objects()->size(), 2U) << "the old one is destroyed";
  const auto events = world_.events.wrapping_key_rotations();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].previous_wrapping_key, before.hex());
  EXPECT_EQ(events[0].current_wrapping_key, wrapping_key().hex());
  EXPECT_EQ(world_.expect_whole(), 0U);
  ASSERT_NO_FATAL_FAILURE(rotate_wrapping_key());
  for (const auto& [blob, text] : blobs) EXPECT_EQ(decrypted(blob), text);
}

TEST_F(WrappedCustody, ARotationOfTheWrappingKeyLeavesResidentMaterialAsItIs) {
  const KeyPtr wrapped = world_.create_key();
  const Bytes of_wrapped = world_.encrypt(wrapped, "wrapped");
  restart_with(Custody::kResident);
  const KeyPtr resident = world_.create_key();
  const auto row = world_.newest(resident)->current_material().record;
  ASSERT_NO_FATAL_FAILURE(rotate_wrapping_key());
  EXPECT_EQ(world_.newest(resident)->current_material().record, row);
  EXPECT_EQ(decrypted(of_wrapped), "wrapped");
}

TEST_F(WrappedCustody, WhereNothingIsWrappedThereIsNothingToRotate) {
  const auto begun = service().rotate_wrapping_key();
  EXPECT_EQ(code_of(begun), ErrorCode::kValidation);
  EXPECT_TRUE(service().continue_rewrapping(milliseconds(10)));
}

TEST_F(WrappedCustody, OneRotationOfTheWrappingKeyAtATime) {
  const KeyPtr key = world_.create_key();
  std::atomic<bool> refusing{true};
  world_.token_hook.before = [&refusing](std::string_view call) -> Result<void> {
    if (call != "rewrap_material" || !refusing) return {};
    return Error(ErrorCode::kKeyUnavailable, {}, "not now");
  };
  ASSERT_TRUE(service().rotate_wrapping_key());
  EXPECT_EQ(code_of(service().rotate_wrapping_key()), ErrorCode::kConflict);
  EXPECT_FALSE(service().continue_rewrapping(milliseconds(100)));
  EXPECT_EQ(service().wrapping_keys().size(), 2U);
  EXPECT_EQ(decrypted(world_.encrypt(key, "meanwhile")), "meanwhile");
  refusing = false;
  service().run_due_work();
  EXPECT_EQ(service().wrapping_keys().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.close();
}

TEST_F(WrappedCustody, AMaterialThatCannotBeWrappedAnewHoldsUpTheEndAndNoOther) {
  const KeyPtr damaged = world_.create_key();
  const KeyPtr whole = world_.create_key();
  const auto row = damaged->current_material().record;
  execute("UPDATE key_material SET seal = '00' WHERE object_name = '" + row.object_name.hex() +
          "'");
  const ObjectName before = wrapping_key();
  ASSERT_TRUE(service().rotate_wrapping_key());
  service().run_due_work();
  const auto keys = service().wrapping_keys();
  ASSERT_EQ(keys.size(), 2U) << "a wrapping key that a row names is destroyed";
  EXPECT_EQ(keys[0].materials, 1U);
  EXPECT_EQ(keys[1].record.object_name, before);
  EXPECT_EQ(keys[1].materials, 1U);
  EXPECT_TRUE(world_.token().check_custody_key({before, keys[1].record.check_value}));
  // With its row put right, it goes on.
  execute("UPDATE key_material SET seal = '" + to_hex(row.wrapped->seal) +
          "' WHERE object_name = '" + row.object_name.hex() + "'");
  service().run_due_work();
  EXPECT_EQ(service().wrapping_keys().size(), 1U);
  EXPECT_EQ(decrypted(world_.encrypt(damaged, "x")), "x");
}

TEST_F(WrappedCustody, AMaterialThatComesUnderTheOldKeyTooLateIsNeverAcknowledged) {
  world_.create_key();
  std::atomic<bool> rotated{false};
  world_.store_hook.before = [&](std::string_view call) -> Result<void> {
    // Wrapped under the old key, and not written yet.
    if (call == "finish_key" && !rotated.exchange(true)) rotate_wrapping_key();
    return {};
  };
  const auto created = service().create_key(world_.scope, {});
  EXPECT_EQ(code_of(created), ErrorCode::kKmsInternal);
  service().run_due_work();
  EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.close();
}

TEST_F(WrappedCustody, ARotationThatEndsWhileTheWrappingKeyRetiresIsWrappedAnew) {
  const KeyPtr key = world_.create_key();
  std::atomic<bool> rotated{false};
  world_.store_hook.before = [&](std::string_view call) -> Result<void> {
    if (call == "finish_rotation" && !rotated.exchange(true)) {
      EXPECT_TRUE(service().rotate_wrapping_key());
    }
    return {};
  };
  const auto ended = service().rotate_on_demand(*key);
  EXPECT_TRUE(ended) << why(ended);
  service().run_due_work();
  EXPECT_EQ(world_.newest(key)->materials().size(), 2U);
  EXPECT_EQ(service().wrapping_keys().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.close();
}

TEST_F(WrappedCustody, ADeletedKeysBlobIsNotInTheStoreAnyMore) {
  const KeyPtr key = world_.create_key();
  const std::string blob = to_hex(key->current_material().record.wrapped->blob);
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(7 * kDay);
  service().run_due_work();
  EXPECT_EQ(world_.newest(key), nullptr);
  EXPECT_TRUE(world_.store().load()->materials.empty());
  world_.close();
  std::ifstream file(world_.folder() / "keyhold.db", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.find(blob), std::string::npos);
}

}  // namespace
}  // namespace keyhold::kms
