// Where the key set of an OpenID provider comes from: a file that was read, or an address that is
// asked now and then.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "sts/fault.h"
#include "sts/key_set.h"

namespace keyhold::sts {

/// Safe from many threads.
class KeySource {
 public:
  virtual ~KeySource() = default;

  /// The set to look for the key `kid` in, which may not have it. kIdpCommunicationError if that
  /// cannot be said now.
  virtual Answer<KeySetPtr> keys_for(std::string_view kid) = 0;
};

/// A set that does not change.
class FixedKeys final : public KeySource {
 public:
  explicit FixedKeys(KeySet keys) : keys_(std::make_shared<const KeySet>(std::move(keys))) {}
  Answer<KeySetPtr> keys_for(std::string_view) override { return keys_; }

 private:
  const KeySetPtr keys_;
};

/// What an address answered.
struct FetchedText {
  std::string text;
  std::optional<std::chrono::seconds> max_age;  ///< of its Cache-Control; 0 for `no-store`
};

/// Asks one address.
class KeySetFetcher {
 public:
  virtual ~KeySetFetcher() = default;
  virtual const std::string& address() const = 0;
  /// Within seconds. kValidation with a sentence if there is no answer, or another one than a text
  /// of reasonable size.
  virtual Result<FetchedText> fetch() = 0;
};

/// A set from an address: asked for when it is first needed, when it has grown old, and when a
/// token names a key that it does not have. While the address does not answer, the set that was
/// there stays good.
class FetchedKeys final : public KeySource {
 public:
  /// Bounds and default of how long a set counts as new.
  static constexpr std::chrono::seconds kShortestAge{60};
  static constexpr std::chrono::hours kDefaultAge{1};
  static constexpr std::chrono::hours kLongestAge{24};
  /// How long a set is good for whose address does not answer any more.
  static constexpr std::chrono::hours kLongestAbsence{24 * 7};
  /// Between two questions, so that callers with made-up tokens do not make a flood of them.
  static constexpr std::chrono::seconds kShortestInterval{10};

  /// `clock` must outlive it.
  FetchedKeys(std::unique_ptr<KeySetFetcher> fetcher, const Clock& clock)
      : fetcher_(std::move(fetcher)), clock_(clock) {}

  /// One caller at a time asks the address, on its own thread; the others do not wait for it.
  Answer<KeySetPtr> keys_for(std::string_view kid) override;

 private:
  bool may_ask(TimePoint now) const;
  void ask(std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<KeySetFetcher> fetcher_;
  const Clock& clock_;
  std::mutex mutex_;
  KeySetPtr keys_;  // null: none yet
  TimePoint received_at_;
  TimePoint new_until_;
  std::optional<TimePoint> asked_at_;
  bool asking_ = false;
};

}  // namespace keyhold::sts
