#include "service_fixture.h"

#include <stdlib.h>

#include <stdexcept>

#include "tests/support/places.h"
#include "token/profile.h"
#include "token/softhsm.h"

namespace keyhold::api::test {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message() + " " + result.error().detail());
  return std::move(*result);
}

}  // namespace

void ServiceTest::SetUpTestSuite() {
  world_ = std::make_unique<World>();
  std::string name = "/dev/shm/keyhold-api-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder on /dev/shm");
  world_->folder = name;

  constexpr std::string_view kPin = "test-pin-1234";
  const auto overrides =
      must(token::prepare_softhsm({name + "/token", "/usr/lib/softhsm/libsofthsm2.so", "keyhold",
                                   Secret(std::string_view("so-pin-1234")), Secret(kPin)}));
  const auto profile = must(token::read_profile(
      keyhold::test::source_folder() + "/hsm-config/softhsm-2.6.toml", overrides));
  world_->token =
      must(token::Pkcs11Token::open(profile, Secret(kPin), world_->clock, world_->random));
  world_->store = must(store::SqliteStore::open(name + "/store.db"));
  kms::ServiceOptions options;
  options.alias_limit = kAliasLimit;
  world_->service = must(kms::Service::start(*world_->store, *world_->token, world_->clock,
                                             world_->random, world_->events, options));
}

void ServiceTest::TearDownTestSuite() {
  const std::filesystem::path folder = world_->folder;
  world_->service.reset();
  world_->store.reset();
  world_->token.reset();
  world_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void ServiceTest::put_in_state(const std::string& key_id, KeyState state) {
  if (state == KeyState::kDisabled) succeed("DisableKey", with_key(key_id));
  if (state == KeyState::kPendingDeletion) succeed("ScheduleKeyDeletion", with_key(key_id));
}

}  // namespace keyhold::api::test
