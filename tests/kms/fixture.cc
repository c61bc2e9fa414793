#include "tests/kms/fixture.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>

#include "base/key_spec.h"
#include "tests/support/places.h"
#include "tests/support/wrapped_material.h"
#include "token/softhsm.h"

// The leak sanitizer asks for this. SoftHSM loses the attributes of an object now and then when
// others come and go beside it; what is allocated inside of it is its own affair.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libsofthsm2.so";
}

namespace keyhold::kms::testing {
namespace {

namespace fs = std::filesystem;

fs::path make_folder() {
  std::string name =
      std::string(fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + "/keyhold-kms-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

}  // namespace

Result<void> Events::key_rotated(const RotationEvent& event) {
  std::function<Result<void>()> answer;
  {
    const std::lock_guard lock(mutex_);
    rotations_.push_back(event);
    answer = answer_;
  }
  return answer ? answer() : Result<void>();
}

Result<void> Events::key_deleted(const DeletionEvent& event) {
  std::function<Result<void>()> answer;
  {
    const std::lock_guard lock(mutex_);
    deletions_.push_back(event);
    answer = answer_;
  }
  return answer ? answer() : Result<void>();
}

Result<void> Events::material_expired(const MaterialExpiryEvent& event) {
  std::function<Result<void>()> answer;
  {
    const std::lock_guard lock(mutex_);
    expiries_.push_back(event);
    answer = answer_;
  }
  return answer ? answer() : Result<void>();
}

Result<void> Events::wrapping_key_rotated(const WrappingKeyRotationEvent& event) {
  std::function<Result<void>()> answer;
  {
    const std::lock_guard lock(mutex_);
    wrapping_key_rotations_.push_back(event);
    answer = answer_;
  }
  return answer ? answer() : Result<void>();
}

std::vector<WrappingKeyRotationEvent> Events::wrapping_key_rotations() const {
  const std::lock_guard lock(mutex_);
  return wrapping_key_rotations_;
}

std::vector<MaterialExpiryEvent> Events::expiries() const {
  const std::lock_guard lock(mutex_);
  return expiries_;
}

void Events::on_tell(std::function<Result<void>()> answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

std::vector<RotationEvent> Events::rotations() const {
  const std::lock_guard lock(mutex_);
  return rotations_;
}

std::vector<DeletionEvent> Events::deletions() const {
  const std::lock_guard lock(mutex_);
  return deletions_;
}

World::World(std::string folder)
    : folder_(folder.empty() ? make_folder() : fs::path(folder)), owned_(folder.empty()) {
  // Due work runs when the test says so.
  options.lifecycle_interval = std::chrono::hours(1);
}

World::~World() {
  close();
  if (!owned_) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<void> World::try_open() {
  token::SoftHsmRequest request;
  request.folder = folder_ / "softhsm";
  request.module = kSoftHsm;
  request.label = "keyhold-test";
  request.so_pin = Secret(std::string_view("so-pin-0815"));
  request.pin = Secret(kPin);
  TRY_ASSIGN(auto overrides, token::prepare_softhsm(request));
  overrides.push_back("module.path=" + module);
  overrides.push_back("keys.custody=" + std::string(to_string(custody)));
  overrides.insert(overrides.end(), profile_overrides.begin(), profile_overrides.end());
  TRY_ASSIGN(const auto profile,
             token::read_profile(keyhold::test::source_folder() + "/hsm-config/softhsm-2.6.toml",
                                 overrides));
  TRY_ASSIGN(token_, token::Pkcs11Token::open(profile, Secret(std::string_view(pin)), system_clock_,
                                              random));
  TRY_ASSIGN(store_, store::SqliteStore::open(folder_ / "keyhold.db"));
  hooked_token_ = std::make_unique<HookedToken>(*token_, token_hook);
  hooked_store_ = std::make_unique<HookedStore>(*store_, store_hook);
  TRY_ASSIGN(service_,
             Service::start(*hooked_store_, *hooked_token_, clock, random, events, options));
  return {};
}

void World::close() {
  service_.reset();
  hooked_store_.reset();
  hooked_token_.reset();
  store_.reset();
  token_.reset();
}

fs::path World::token_folder() const {
  for (const auto& entry : fs::directory_iterator(folder_ / "softhsm" / "tokens")) {
    if (entry.is_directory()) return entry.path();
  }
  ADD_FAILURE() << "there is no token";
  return {};
}

KeyPtr World::create_key(std::string description, token::MaterialKind kind) {
  NewKey wanted;
  wanted.spec = kind.spec;
  wanted.usage = kind.usage;
  wanted.description = std::move(description);
  const auto key = service().create_key(scope, wanted);
  if (!key) throw std::runtime_error("no key: " + why(key));
  return *key;
}

Bytes World::encrypt(const KeyPtr& key, std::string_view plaintext) {
  const auto encrypted = service().encrypt(*newest(key), as_bytes(plaintext), {});
  EXPECT_TRUE(encrypted) << why(encrypted);
  return encrypted ? encrypted->blob : Bytes();
}

Result<Decrypted> World::decrypt(ByteView blob) {
  const auto parsed = parse_ciphertext_blob(blob);
  if (!parsed) return Error(ErrorCode::kInvalidCiphertext);
  const auto key = service().find_key_by_id(scope, parsed->key_id);
  if (!key) return Error(ErrorCode::kNotFound);
  return service().decrypt(*key, *parsed, {});
}

void World::allow_imports() {
  options.service_key = create_key("service key")->current_material().use;
  restart();
}

KeyPtr World::create_external_key(token::MaterialKind kind) {
  NewKey wanted;
  wanted.spec = kind.spec;
  wanted.usage = kind.usage;
  wanted.origin = KeyOrigin::kExternal;
  const auto key = service().create_key(scope, wanted);
  if (!key) throw std::runtime_error("no key: " + why(key));
  return *key;
}

Result<ImportParameters> World::import_parameters(const KeyPtr& key, WrappingAlgorithm algorithm) {
  return service().import_parameters(*newest(key), KeySpec::kRsa2048, algorithm);
}

Result<std::string> World::import(const KeyPtr& key, ByteView material, ImportRequest request,
                                  WrappingAlgorithm algorithm) {
  TRY_ASSIGN(const auto parameters, import_parameters(key, algorithm));
  return import(key, parameters, material, std::move(request), algorithm);
}

Result<std::string> World::import(const KeyPtr& key, const ImportParameters& parameters,
                                  ByteView material, ImportRequest request,
                                  WrappingAlgorithm algorithm) {
  request.import_token = parameters.import_token;
  request.encrypted_key_material =
      keyhold::test::wrap_material(parameters.public_key, algorithm, material);
  return service().import_material(*newest(key), request);
}

ReconcileReport World::reconcile() {
  const auto report = service().reconcile();
  EXPECT_TRUE(report) << why(report);
  return report ? *report : ReconcileReport();
}

std::vector<std::string> World::object_names() {
  const auto objects = token_->list_objects();
  EXPECT_TRUE(objects) << why(objects);
  std::set<std::string> custody_keys;
  const auto rows = store_->load();
  EXPECT_TRUE(rows) << why(rows);
  if (rows) {
    for (const auto& row : rows->custody_keys) custody_keys.insert(row.object_name.hex());
  }
  std::vector<std::string> names;
  if (objects) {
    for (const auto& object : *objects) {
      std::string name = to_hex(object.id);
      if (!custody_keys.contains(name)) names.push_back(std::move(name));
    }
  }
  return names;
}

void World::expect_usable(const Key& key) {
  const ByteView proof = as_bytes("proof");
  if (key.record().usage == KeyUsage::kEncryptDecrypt) {
    const auto blob = service().encrypt(key, proof, {});
    EXPECT_TRUE(blob) << why(blob);
    if (!blob) return;
    const auto plain = decrypt(blob->blob);
    EXPECT_TRUE(plain) << why(plain);
    if (!plain) return;
    EXPECT_EQ(plain->plaintext.text(), "proof");
    EXPECT_EQ(plain->material_id, key.current_material().record.material_id);
    return;
  }
  const Algorithm algorithm = algorithms_of(key.record().spec, key.record().usage).front();
  const Message message{MessageType::kRaw, proof};
  const auto made = service().sign(key, algorithm, message);
  EXPECT_TRUE(made) << why(made);
  if (!made) return;
  const auto good = key.record().usage == KeyUsage::kSignVerify
                        ? service().verify(key, algorithm, message, *made)
                        : service().verify_mac(key, algorithm, proof, *made);
  EXPECT_TRUE(good) << why(good);
}

std::size_t World::expect_whole() {
  const auto loaded = store_->load();
  EXPECT_TRUE(loaded) << why(loaded);
  if (!loaded) return 0;
  EXPECT_TRUE(loaded->unborn_keys.empty()) << "an unborn key is left";
  EXPECT_TRUE(loaded->intents.empty()) << "an intent is left";

  std::map<std::string, std::vector<store::MaterialRecord>> materials;
  std::set<std::string> accounted;
  for (const auto& row : loaded->materials) {
    materials[row.key_id].push_back(row);
    EXPECT_TRUE(accounted.insert(row.object_name.hex()).second) << "two materials of one name";
    EXPECT_TRUE(row.announced) << "a rotation was not announced";
    EXPECT_TRUE(row.presence == store::MaterialPresence::kPresent ||
                row.presence == store::MaterialPresence::kAbsent)
        << "a removal is not finished";
  }
  for (const auto& row : loaded->wrapping_keys) {
    EXPECT_TRUE(accounted.insert(row.object_name.hex()).second) << "two objects of one name";
    EXPECT_GT(row.expires_at, clock.now()) << "a wrapping key is there after its time";
  }
  EXPECT_LE(loaded->custody_keys.size(), 1U) << "a rotation of the wrapping key is not finished";
  for (const auto& row : loaded->custody_keys) {
    EXPECT_EQ(row.state, store::CustodyKeyState::kCurrent) << "a custody key is half made";
    const auto checked = token_->check_custody_key({row.object_name, row.check_value});
    EXPECT_TRUE(checked) << why(checked);
  }
  std::map<std::string, int> objects;
  for (const auto& name : object_names()) ++objects[name];

  std::size_t keys = 0;
  for (const auto& row : loaded->keys) {
    ++keys;
    EXPECT_FALSE(row.destroying) << "a destruction is not finished";
    const auto& of_key = materials[row.id];
    const bool external = row.origin == KeyOrigin::kExternal;
    EXPECT_TRUE(external || !of_key.empty()) << "a key without material";
    int on_demand = 0;
    for (std::size_t i = 0; i < of_key.size(); ++i) {
      const bool present = of_key[i].presence == store::MaterialPresence::kPresent;
      // What was imported has no public object beside it.
      EXPECT_EQ(of_key[i].wrapped.has_value(), of_key[i].custody == Custody::kWrapped);
      EXPECT_EQ(objects[of_key[i].object_name.hex()], !present || of_key[i].wrapped    ? 0
                                                      : is_pair(row.spec) && !external ? 2
                                                                                       : 1)
          << "a material without its objects, or objects without their material";
      EXPECT_EQ(of_key[i].sequence, static_cast<int>(i));
      const bool pending = of_key[i].standing == store::MaterialStanding::kPendingRotation;
      EXPECT_EQ(of_key[i].rotation_type.has_value(), i > 0 && !pending);
      if (of_key[i].rotation_type == RotationType::kOnDemand) ++on_demand;
    }
    EXPECT_EQ(row.on_demand_rotations, on_demand) << "rotations and their count differ";

    const auto key = service().inspect_key(row.id);
    EXPECT_NE(key, nullptr) << "the service does not know a stored key";
    if (!key) continue;
    EXPECT_EQ(key->record(), row) << "service and store differ";
    EXPECT_FALSE(key->running_intent());
    if (row.state != KeyState::kPendingDeletion) {
      EXPECT_EQ(row.state == KeyState::kPendingImport, !key->has_all_material());
    }
    EXPECT_EQ(key->materials().size(), of_key.size());
    for (std::size_t i = 0; i < std::min(of_key.size(), key->materials().size()); ++i) {
      EXPECT_EQ(key->materials()[i]->record, of_key[i]);
    }
    if (key->has_all_material()) expect_usable(*key);
  }
  for (const auto& entry : materials) {
    const std::string& id = entry.first;
    EXPECT_TRUE(std::ranges::any_of(loaded->keys, [&](const auto& row) { return row.id == id; }))
        << "materials without a key";
  }
  PageRequest everything;
  everything.limit = 1'000'000;
  const auto listed = service().list_keys(scope, everything);
  EXPECT_TRUE(listed) << why(listed);
  if (listed) {
    EXPECT_EQ(listed->elements.size(), keys);
  }

  std::size_t strangers = 0;
  for (const auto& [name, count] : objects) {
    if (!accounted.contains(name)) strangers += static_cast<std::size_t>(count);
  }
  const auto report = reconcile();
  EXPECT_TRUE(report.finished.empty()) << report.finished.front();
  EXPECT_TRUE(report.withdrawn.empty()) << report.withdrawn.front();
  EXPECT_TRUE(report.alarms.empty()) << report.alarms.front();
  EXPECT_EQ(report.strangers.size(), strangers)
      << "strangers that are not reported, or no strangers";
  return strangers;
}

}  // namespace keyhold::kms::testing
