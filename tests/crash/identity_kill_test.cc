// SIGKILL before and after each durable step of what changes principals, access keys and
// revocations. The parent then starts over the same folder and looks: what was said is so, and what
// was not is there whole or not at all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "app/credential_store.h"
#include "app/principal_store.h"
#include "tests/crash/child.h"
#include "tests/kms/fixture.h"
#include "tests/support/temporary_folder.h"
#include "token/sealer.h"

namespace keyhold::app {
namespace {

using namespace keyhold::crash;
using keyhold::test::TemporaryFolder;
using kms::testing::Hook;
using kms::testing::World;

constexpr std::string_view kAccount = "111122223333";
constexpr std::string_view kRoleArn = "arn:aws:iam::111122223333:role/app";
constexpr std::string_view kSessionKey = "ASIAEXAMPLESESSION00";
constexpr std::string_view kRole =
    R"({"type":"role","name":"app","trustPolicy":{"Statement":{"Effect":"Allow",)"
    R"("Principal":"*","Action":"sts:AssumeRole"}},"tags":{"team":"blue"}})";
constexpr std::string_view kChangedRole =
    R"({"type":"role","name":"app","trustPolicy":{"Statement":{"Effect":"Allow",)"
    R"("Principal":"*","Action":"sts:AssumeRole"}},"tags":{"team":"red"}})";

/// Hooks every write.
class HookedIdentityStore final : public store::IdentityStore {
 public:
  HookedIdentityStore(store::IdentityStore& inner, Hook& hook) : inner_(inner), hook_(hook) {}

  Result<std::vector<store::IdentityRecord>> identities() override { return inner_.identities(); }
  Result<void> put_identity(const store::IdentityRecord& identity) override {
    return hook_.around("put_identity", [&] { return inner_.put_identity(identity); });
  }
  Result<void> delete_identity(std::string_view account, std::string_view kind,
                               std::string_view name) override {
    return hook_.around("delete_identity",
                        [&] { return inner_.delete_identity(account, kind, name); });
  }
  Result<std::vector<store::RevocationRecord>> revocations() override {
    return inner_.revocations();
  }
  Result<void> put_revocation(const store::RevocationRecord& revocation) override {
    return hook_.around("put_revocation", [&] { return inner_.put_revocation(revocation); });
  }

 private:
  store::IdentityStore& inner_;
  Hook& hook_;
};

/// Both stores of identities over one world, whose first key's material seals secrets.
struct Identities {
  Identities(World& world, token::Material material)
      : sealer(world.token(), std::move(material), world.random),
        hooked_store(world.store(), hook),
        hooked_identities(dynamic_cast<store::IdentityStore&>(world.store()), hook),
        credentials(hooked_store, sealer, world.clock, world.random),
        principals(hooked_identities, world.clock,
                   {std::string(kAccount), "user/admin", {}, nullptr}) {}

  Result<void> load() {
    TRY(credentials.load());
    return principals.load();
  }
  Result<void> put(std::string_view definition) {
    Bytes text(definition.begin(), definition.end());
    TRY_ASSIGN(const auto document, json::Document::parse(text));
    TRY(principals.put(document.root()));
    return {};
  }
  bool has_role() const { return principals.directory().exists(kRoleArn); }
  std::string team() const {
    const auto role = principals.directory().find(iam::IdentityKind::kRole, kAccount, "app");
    return role && !role->tags.empty() ? role->tags.front().value : "";
  }

  Hook hook;
  token::Sealer sealer;
  kms::testing::HookedStore hooked_store;
  HookedIdentityStore hooked_identities;
  CredentialStore credentials;
  PrincipalStore principals;
};

/// An operation: what is there before it, what it does, and what it has done. `done` answers
/// nothing where what is there is neither the old nor the new.
struct Operation {
  std::string_view name;
  Result<void> (*prepare)(Identities&, const Notes&);
  Result<void> (*run)(Identities&, const Notes&);
  std::optional<bool> (*done)(Identities&, const Notes&);
};

Result<void> nothing(Identities&, const Notes&) { return {}; }
Result<void> make_role(Identities& all, const Notes&) { return all.put(kRole); }

Result<void> make_key(Identities& all, const Notes& notes) {
  TRY_ASSIGN(const auto made, all.credentials.create(kAccount, "user/ann"));
  notes.write("made", made.key.access_key_id);
  notes.write("secret", made.key.secret_access_key.text());
  return {};
}

Result<void> outcome(const Result<IdentityChange>& change) {
  if (!change) return change.error();
  return change->in_effect;
}

/// Whether the access key that was made is active; it must be there, with its secret.
std::optional<bool> is_active(Identities& all, const Notes& notes) {
  const auto rows = all.credentials.list();
  if (!rows) return std::nullopt;
  const auto row =
      std::ranges::find(*rows, notes.one("made"), &store::CredentialRecord::access_key_id);
  const auto opened = all.credentials.snapshot().find(notes.one("made"));
  if (row == rows->end()) return std::nullopt;
  const bool active = row->status == store::CredentialStatus::kActive;
  if (opened && opened->secret_access_key.text() != notes.one("secret")) return std::nullopt;
  if (active && !opened) return std::nullopt;
  return active;
}

constexpr auto kOperations = std::to_array<Operation>({
    {"put", nothing, make_role,
     [](Identities& all, const Notes&) -> std::optional<bool> { return all.has_role(); }},
    {"replace", make_role, [](Identities& all, const Notes&) { return all.put(kChangedRole); },
     [](Identities& all, const Notes&) -> std::optional<bool> {
       if (all.team() != "red" && all.team() != "blue") return std::nullopt;
       return all.team() == "red";
     }},
    {"remove", make_role,
     [](Identities& all, const Notes&) {
       return outcome(all.principals.remove(kAccount, "role/app"));
     },
     [](Identities& all, const Notes&) -> std::optional<bool> { return !all.has_role(); }},
    {"revokeRole", make_role,
     [](Identities& all, const Notes&) {
       return outcome(all.principals.revoke_role(kAccount, "role/app"));
     },
     [](Identities& all, const Notes&) -> std::optional<bool> {
       if (!all.has_role()) return std::nullopt;
       return all.principals.revocations().is_revoked(kRoleArn, "", kms::testing::kStart);
     }},
    {"revokeAccessKey", nothing,
     [](Identities& all, const Notes&) {
       return outcome(all.principals.revoke_access_key(kSessionKey));
     },
     [](Identities& all, const Notes&) -> std::optional<bool> {
       return all.principals.revocations().is_revoked("", kSessionKey, kms::testing::kStart);
     }},
    {"create", nothing, make_key,
     [](Identities& all, const Notes&) -> std::optional<bool> {
       const auto rows = all.credentials.list();
       if (!rows || rows->size() > 1) return std::nullopt;
       if (rows->empty()) return false;
       if (!all.credentials.snapshot().find(rows->front().access_key_id)) return std::nullopt;
       return true;
     }},
    {"disable", make_key,
     [](Identities& all, const Notes& notes) {
       return outcome(
           all.credentials.set_status(notes.one("made"), store::CredentialStatus::kDisabled));
     },
     [](Identities& all, const Notes& notes) -> std::optional<bool> {
       const auto active = is_active(all, notes);
       return active ? std::optional(!*active) : std::nullopt;
     }},
    {"enable",
     [](Identities& all, const Notes& notes) -> Result<void> {
       TRY(make_key(all, notes));
       return outcome(
           all.credentials.set_status(notes.one("made"), store::CredentialStatus::kDisabled));
     },
     [](Identities& all, const Notes& notes) {
       return outcome(
           all.credentials.set_status(notes.one("made"), store::CredentialStatus::kActive));
     },
     is_active},
});

/// `--child FOLDER OPERATION before|after STEP AT`.
int be_child(const std::vector<std::string>& arguments) {
  const std::string& folder = arguments.at(0);
  const auto operation = std::ranges::find(kOperations, arguments.at(1), &Operation::name);
  if (operation == kOperations.end()) return 5;
  const Notes notes(folder);
  World world(folder);
  if (!world.try_open()) return 3;
  const kms::KeyPtr key = world.create_key();
  notes.write("key", key->id());
  Identities all(world, key->current_material().use);
  if (!all.load() || !operation->prepare(all, notes)) return 4;
  Executioner executioner(arguments.at(2) == "before" ? Moment::kBefore : Moment::kAfter,
                          std::stoi(arguments.at(3)));
  executioner.install({&all.hook});
  executioner.arm();
  if (!operation->run(all, notes)) return 4;
  notes.write("acknowledged", "it");
  ::_exit(0);
}

class IdentityKill : public ::testing::TestWithParam<Operation> {};

INSTANTIATE_TEST_SUITE_P(Operations, IdentityKill, ::testing::ValuesIn(kOperations),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(IdentityKill, AtEachStepLosesNothingAcknowledgedAndLeavesNothingHalf) {
  const Operation& operation = GetParam();
  for (const Moment moment : {Moment::kBefore, Moment::kAfter}) {
    int step = 1;
    for (; step < 20; ++step) {
      SCOPED_TRACE(std::string(operation.name) + ", killed " +
                   (moment == Moment::kBefore ? "before" : "after") + " step " +
                   std::to_string(step));
      const TemporaryFolder folder;
      const Fate fate =
          run_child(folder.path(), std::string(operation.name), moment, step, "steps");
      const Notes notes(folder.path());
      World world(folder.path());
      ASSERT_NO_FATAL_FAILURE(world.open());
      const kms::KeyPtr key = world.service().inspect_key(notes.one("key"));
      ASSERT_TRUE(key);
      Identities all(world, key->current_material().use);
      ASSERT_TRUE(all.load());
      const auto done = operation.done(all, notes);
      ASSERT_TRUE(done) << "what is there is neither the old nor the new";
      // Each of them is one step, so the moment says which of both it is.
      EXPECT_EQ(*done, fate == Fate::kLived || moment == Moment::kAfter);
      EXPECT_TRUE(*done || !notes.has("acknowledged")) << "what was said is not so";
      // The next steps work.
      EXPECT_TRUE(all.put(kChangedRole));
      EXPECT_TRUE(all.credentials.create(kAccount, "user/ann"));
      if (HasFailure()) return;
      if (fate == Fate::kLived) break;
    }
    EXPECT_GT(step, 1) << "the kills never met the operation";
  }
}

}  // namespace
}  // namespace keyhold::app

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--child") {
    return keyhold::app::be_child({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
