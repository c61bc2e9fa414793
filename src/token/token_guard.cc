#include "token/token_guard.h"

#include <array>
#include <chrono>
#include <utility>

#include "token/key_template.h"
#include "token/token.h"

namespace keyhold::token {
namespace {

constexpr int kDoubts = 3;
// What one function answers says little of another: a token may decrypt and not encrypt. So it
// takes more than a success to forget that sessions are lost.
constexpr milliseconds kSessionsRemembered{60'000};

std::int64_t moment_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

}  // namespace

TokenGuard::TokenGuard(TokenLink& link, Random& random, Actions actions)
    : link_(link),
      actions_(std::move(actions)),
      gate_(link.profile().calls_at_once),
      recovery_(gate_, link.profile(), random,
                {[this] { return restart(); }, [this] { return !link_.pin_refused(); },
                 [this] { tick(); }}) {}

Result<void> TokenGuard::start(WhenAbsent when_absent) {
  const auto up = restart();
  if (up) {
    recovery_.start();
    return {};
  }
  const bool passes =
      up.error().code() == ErrorCode::kKeyUnavailable && link_.may_pass() && !link_.pin_refused();
  if (when_absent == WhenAbsent::kRefuse || !passes) return up.error();
  recovery_.start_without_token(up.error().detail());
  return {};
}

void TokenGuard::stop() {
  recovery_.stop();
  forget_health_key();
}

Result<Inside> TokenGuard::enter(Generation generation) {
  const Profile& profile = link_.profile();
  const std::uint64_t recoveries = recovery_.done();
  const auto allowance = generation == Generation::kSlow
                             ? profile.generation_timeout - profile.call_timeout
                             : std::chrono::milliseconds(0);
  TRY_ASSIGN(CallGate::Call call, gate_.enter(profile.call_timeout, allowance));
  return Inside{std::move(call), recoveries};
}

// ---------------------------------------------------------------------------------------- errors

Error TokenGuard::fail(const Inside& inside, const pkcs11::Error& error, std::string_view what,
                       Repeatable repeatable) {
  Error answer = to_error(error, what);
  if (error.pin_refused()) {
    return report(inside, BreakerEvent::kPinRefused, Trouble::kPinRefused, answer.detail());
  }
  if (error.token_gone() || link_.says_gone(error)) return lost(inside, answer.detail());
  if (lost_before_effect(error)) {
    // A fresh session or a new login fared no better, or the call may not be repeated.
    const auto seen = link_.look();
    if (!seen) return lost(inside, seen.error().text());
    return sessions_stay_lost(inside) ? lost(inside, answer.detail()) : answer;
  }
  // Codes that some tokens answer when they are gone, and others to trouble of a single object or a
  // full disk: a use of known answer decides.
  if (error.fate() != pkcs11::Fate::kSessionBroken && !error.ambiguous()) {
    recovery_.report(inside.recoveries, BreakerEvent::kBadInput, Trouble::kNone, {});
    return answer;
  }
  if (!is_well()) return lost(inside, answer.detail());
  // A token that is well and goes on failing is initialised again, now and then.
  if (repeatable == Repeatable::kYes && doubts_.fetch_add(1) + 1 >= kDoubts && may_restart()) {
    doubts_ = 0;
    return lost(inside, answer.detail());
  }
  return internal(answer.detail());
}

bool TokenGuard::sessions_stay_lost(const Inside& inside) {
  if (inside.recoveries != recovery_.done()) return false;  // seen before the token came back
  session_lost_at_ = moment_now();
  if (sessions_lost_.fetch_add(1) + 1 < kDoubts || !may_restart()) return false;
  sessions_lost_ = 0;
  return true;
}

void TokenGuard::forget_lost_sessions() {
  if (moment_now() - session_lost_at_ > kSessionsRemembered.count()) sessions_lost_ = 0;
}

bool TokenGuard::is_well() {
  const auto seen = link_.look();
  const auto healthy = seen ? prove_health() : pkcs11::Result<Proof>(seen.error());
  return healthy && *healthy == Proof::kHolds;
}

bool TokenGuard::may_restart() {
  const std::int64_t moment = moment_now();
  std::int64_t last = doubtful_restart_at_.load();
  if (last != 0 && moment - last < link_.profile().backoff_last.count()) return false;
  return doubtful_restart_at_.compare_exchange_strong(last, moment);
}

Error TokenGuard::report(const Inside& inside, BreakerEvent event, Trouble trouble,
                         std::string_view what) {
  recovery_.report(inside.recoveries, event, trouble, what);
  return unavailable(what);
}

Error TokenGuard::lost(const Inside& inside, std::string_view what) {
  return report(inside, BreakerEvent::kTokenLost, Trouble::kGone, what);
}

Error TokenGuard::missing(const Inside& inside, const ObjectName& name, bool was_there) {
  const auto seen = link_.look();
  if (!seen) return lost(inside, "looking for an object: " + seen.error().text());
  // SoftHSM forgets objects whose folder went away and came back, until it is initialised again;
  // after that the object is in the index or is no more.
  if (was_there) return lost(inside, "an object has vanished: " + name.hex());
  return internal("the token has no object " + name.hex());
}

// ------------------------------------------------------------------------------ health, recovery

Result<void> TokenGuard::restart() {
  actions_.forget();
  forget_health_key();
  TRY(link_.restart());
  TRY(actions_.take_stock());
  TRY(make_health_key());
  TRY(prove_messages());
  link_.objects().collect();
  return {};
}

void TokenGuard::tick() {
  const auto inside = enter();
  if (inside) actions_.tick();
}

Result<void> TokenGuard::make_health_key() {
  pkcs11::Attributes attributes = mac_key_template(link_.profile());
  auto key = link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN), attributes);
  if (!key) return to_error(key.error(), "making the health key");
  auto answer = link_.cmac(key->handle(), as_bytes(kCheckDomain));
  if (!answer) return to_error(answer.error(), "using the health key");
  const std::lock_guard lock(health_mutex_);
  health_key_.emplace(std::move(*key));
  health_answer_ = std::move(*answer);
  return {};
}

/// Tokens that came back have been seen to encrypt what nobody could decrypt.
Result<void> TokenGuard::prove_messages() {
  Bytes iv(link_.iv_size());  // the key is used once
  const auto key = link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                                            message_key_template(link_.profile()));
  if (!key) return to_error(key.error(), "making a key for a message of known answer");
  const ByteView message = as_bytes(kCheckDomain);
  const auto sealed = link_.encrypt(key->handle(), iv, message, message);
  if (!sealed) return to_error(sealed.error(), "encrypting a message of known answer");
  const auto opened = link_.decrypt(key->handle(), iv, message, *sealed);
  if (!opened) return to_error(opened.error(), "decrypting a message of known answer");
  if (equal_in_constant_time(opened->view(), message)) return {};
  return internal("the token encrypts what it does not decrypt");
}

void TokenGuard::forget_health_key() {
  const std::lock_guard lock(health_mutex_);
  health_key_.reset();
}

pkcs11::Result<Proof> TokenGuard::prove_health() {
  const std::lock_guard lock(health_mutex_);
  if (!health_key_) return pkcs11::Error(CKR_KEY_HANDLE_INVALID, "health");
  PKCS11_TRY_ASSIGN(const Bytes answer, link_.cmac(health_key_->handle(), as_bytes(kCheckDomain)));
  return equal_in_constant_time(answer, health_answer_) ? Proof::kHolds : Proof::kDiffers;
}

Result<void> TokenGuard::check() {
  TRY_ASSIGN(const Inside inside, enter());
  // Where nothing that was called needs a login, its loss is noticed here first.
  const auto seen = link_.look();
  if (!seen) return lost(inside, "the token does not answer: " + seen.error().text());
  auto healthy = prove_health();
  if (!healthy && healthy.error().handle_stale()) {
    // The login was lost and is back; the key went with it.
    const auto made = make_health_key();
    if (!made) return lost(inside, made.error().detail());
    healthy = prove_health();
  }
  if (healthy && *healthy == Proof::kHolds) return {};
  return report(inside, BreakerEvent::kTokenLost, Trouble::kWrongAnswer,
                healthy ? "the health key computes something else"
                        : "the health key fails: " + healthy.error().text());
}

}  // namespace keyhold::token
