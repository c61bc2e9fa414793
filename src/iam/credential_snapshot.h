// All credentials in memory, replaced whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "iam/credential.h"

namespace keyhold::iam {

/// A CredentialSource over an immutable map. A reader compares a version and uses the map that its
/// thread took last; only the first find() of a thread after a replace() takes the mutex, and the
/// reference count that find() raises is the thread's own.
///
/// A thread keeps the map it used last until its next find(): secrets of removed credentials are
/// never answered after replace() has returned, but leave the memory only when every thread that
/// read them has looked again or ended.
class CredentialSnapshot final : public CredentialSource {
 public:
  CredentialSnapshot();
  explicit CredentialSnapshot(std::vector<Credential> credentials);
  ~CredentialSnapshot() override;
  CredentialSnapshot(const CredentialSnapshot&) = delete;
  CredentialSnapshot& operator=(const CredentialSnapshot&) = delete;

  /// From its return on, find() on any thread answers from `credentials` alone. Of two with the
  /// same access key id the last one counts.
  void replace(std::vector<Credential> credentials);

  std::shared_ptr<const Credential> find(std::string_view access_key_id) const override;

 private:
  struct Map;
  struct Cached;

  std::atomic<std::uint64_t> version_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Map> map_;  ///< of version_; under mutex_
};

}  // namespace keyhold::iam
