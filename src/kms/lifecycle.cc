#include "kms/lifecycle.h"

#include <algorithm>

#include "base/log.h"
#include "kms/custody_keys.h"
#include "kms/destruction.h"
#include "kms/import.h"
#include "kms/material_making.h"
#include "kms/material_removal.h"
#include "kms/reconcile.h"
#include "kms/rewrapping.h"

namespace keyhold::kms {
namespace {

constexpr auto kFirstRetry = std::chrono::seconds(2);
// How far what the store knows of keys' uses may be behind.
constexpr auto kUsageInterval = std::chrono::seconds(10);
/// How long other due work may wait for materials that are wrapped anew.
constexpr auto kRewrappingSlice = std::chrono::milliseconds(500);
// Under which failures of that work are counted, beside the ids of keys.
constexpr std::string_view kRewrapping = "wrapping key";
constexpr int kMaxDoublings = 7;  // 2 s, 4 s, … about 4 min

}  // namespace

void save_usages(Domain& domain) {
  const auto saved = domain.usages.save(domain.store);
  if (!saved) {
    log::warning("last uses of keys could not be written and will be tried again: " +
                 saved.error().message() + " " + saved.error().detail());
  }
}

Lifecycle::Lifecycle(Domain& domain) : domain_(domain) {}

Lifecycle::~Lifecycle() { stop(); }

void Lifecycle::start() {
  thread_ = std::thread([this] { work(); });
}

void Lifecycle::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Lifecycle::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Lifecycle::run_now() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++rounds_asked_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stopping_ || rounds_done_ >= mine; });
}

void Lifecycle::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t asked = rounds_asked_;
    woken_ = false;
    lock.unlock();
    run_round(asked > rounds_done_);
    lock.lock();
    rounds_done_ = asked;
    changed_.notify_all();
    changed_.wait_for(lock, domain_.options.lifecycle_interval,
                      [&] { return stopping_ || woken_ || rounds_asked_ > rounds_done_; });
  }
  changed_.notify_all();
}

bool Lifecycle::may_try(const std::string& key_id, bool retry_all) {
  const auto at = back_offs_.find(key_id);
  return at == back_offs_.end() || retry_all ||
         std::chrono::steady_clock::now() >= at->second.next_try;
}

void Lifecycle::note(const std::string& key_id, const Result<void>& outcome) {
  if (outcome) {
    back_offs_.erase(key_id);
    return;
  }
  BackOff& back_off = back_offs_[key_id];
  const auto wait = kFirstRetry * (1 << std::min(back_off.failures, kMaxDoublings));
  ++back_off.failures;
  back_off.next_try = std::chrono::steady_clock::now() + wait;
  log::warning("due work for " + key_id + " failed and will be tried again: " +
               outcome.error().message() + " " + outcome.error().detail());
}

Result<void> Lifecycle::rotate(const Key& key) {
  const RotationClaim claim(domain_, key.id());
  if (!claim.claimed()) return {};
  TRY(domain_.token.check());
  TRY_ASSIGN(const auto intent, begin_rotation(domain_, key, store::IntentKind::kRotateAutomatic));
  TRY_ASSIGN(const auto generated, generate_rotation(domain_, key, intent));
  TRY(finish_rotation(domain_, key.id(), intent, generated));
  announce_rotations(domain_, key);
  return {};
}

Result<void> Lifecycle::do_due(const Key& key) {
  TRY(expire_materials(domain_, key));
  if (key.record().state == KeyState::kPendingDeletion) return condemn_key(domain_, key);
  if (automatic_rotation_due(key, domain_.clock.now())) return rotate(key);
  return {};
}

Result<void> Lifecycle::take_up(const Key& key) {
  const auto& intent = key.running_intent();
  if (intent && intent->kind == store::IntentKind::kImportKeyMaterial) {
    TRY(withdraw_import(domain_, key));
  } else if (intent) {
    TRY(resume_rotation(domain_, key));
  }
  const auto one_at_a_time = domain_.material_changes.lock(key.id());
  return finish_removals(domain_, key);
}

void Lifecycle::rewrap(bool retry_all) {
  const std::string what(kRewrapping);
  if (!may_try(what, retry_all)) return;
  const auto work = [&]() -> Result<Rewrapping> {
    TRY(settle_custody_keys(domain_));
    return continue_rewrapping(domain_, retry_all ? std::nullopt : std::optional(kRewrappingSlice));
  };
  const auto done = work();
  note(what, done ? Result<void>() : Result<void>(done.error()));
  if (done && *done == Rewrapping::kGoesOn) wake();
}

void Lifecycle::run_round(bool retry_all) {
  for (const auto& key : domain_.keys.unfinished()) {
    // What was interrupted comes before what is new.
    if (may_try(key->id(), retry_all)) note(key->id(), take_up(*key));
    announce_interrupted(domain_, *key);
  }
  for (const auto& key : domain_.keys.due(domain_.clock.now())) {
    if (!may_try(key->id(), retry_all)) continue;
    note(key->id(), do_due(*key));
  }
  finish_destructions(domain_);
  destroy_expired_wrapping_keys(domain_);
  rewrap(retry_all);
  settle_stranded_births(domain_);
  const auto now = std::chrono::steady_clock::now();
  if (!retry_all && now < next_usage_save_) return;
  next_usage_save_ = now + kUsageInterval;
  save_usages(domain_);
}

}  // namespace keyhold::kms
