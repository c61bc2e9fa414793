#include "sts/key_source.h"

#include <algorithm>

#include "base/log.h"

namespace keyhold::sts {

// A clock that was put back must not keep anybody from asking.
bool FetchedKeys::may_ask(TimePoint now) const {
  return !asked_at_ || now < *asked_at_ || now >= *asked_at_ + kShortestInterval;
}

void FetchedKeys::ask(std::unique_lock<std::mutex>& lock) {
  asking_ = true;
  asked_at_ = clock_.now();
  lock.unlock();
  std::chrono::seconds age = kDefaultAge;
  const auto fetched = [&]() -> Result<KeySet> {
    TRY_ASSIGN(const FetchedText answer, fetcher_->fetch());
    age = answer.max_age.value_or(kDefaultAge);
    return KeySet::parse(answer.text);
  }();
  if (!fetched) {
    log::warning("key set of " + fetcher_->address() + ": " + fetched.error().message());
  }
  lock.lock();
  asking_ = false;
  if (!fetched) return;
  keys_ = std::make_shared<const KeySet>(*fetched);
  received_at_ = clock_.now();
  new_until_ = received_at_ + std::clamp<std::chrono::seconds>(age, kShortestAge, kLongestAge);
}

Answer<KeySetPtr> FetchedKeys::keys_for(std::string_view kid) {
  std::unique_lock lock(mutex_);
  const TimePoint now = clock_.now();
  const bool wanted = !keys_ || now >= new_until_ || !keys_->contains(kid);
  if (wanted && !asking_ && may_ask(now)) ask(lock);
  const bool good = keys_ && now < received_at_ + kLongestAbsence;
  // Whether the key exists is not known before the answer to a question that is under way.
  if (!good || (asking_ && !keys_->contains(kid))) {
    return Fault{FaultCode::kIdpCommunicationError,
                 "The identity provider could not be reached for its keys. Try again."};
  }
  return keys_;
}

}  // namespace keyhold::sts
