// Which handle an object name has now. A search costs time linear in the token's objects, so one
// pass at start indexes them; handles are kept for one generation and never stored.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "pkcs11/object.h"

namespace keyhold::token {

class ObjectIndex {
 public:
  using Handles = std::vector<pkcs11::ObjectHandle>;

  /// The handles of that name; nothing if none is known.
  std::optional<Handles> find(const ObjectName& name) const {
    std::shared_lock lock(mutex_);
    const auto found = handles_.find(name);
    if (found == handles_.end()) return std::nullopt;
    return found->second;
  }

  void replace(std::unordered_map<ObjectName, Handles> handles) {
    std::unique_lock lock(mutex_);
    handles_ = std::move(handles);
  }

  void set(const ObjectName& name, Handles handles) {
    std::unique_lock lock(mutex_);
    if (handles.empty()) {
      handles_.erase(name);
    } else {
      handles_.insert_or_assign(name, std::move(handles));
    }
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<ObjectName, Handles> handles_;
};

}  // namespace keyhold::token
