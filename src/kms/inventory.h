// All keys at once, for whoever counts them.
#pragma once

#include <cstdint>
#include <vector>

#include "kms/service.h"

namespace keyhold::kms {

class Inventory {
 public:
  virtual ~Inventory() = default;
  /// The keys of every account and region, as this moment has them.
  virtual std::vector<KeyPtr> all_keys() const = 0;
  /// Encryptions counted towards GCM's limit under a material that encrypts messages itself; 0
  /// before this process first uses it.
  virtual std::uint64_t invocations(const KeyMaterial& material) const = 0;
};

/// Of a service that Service::start() made.
const Inventory& inventory_of(const Service& service);

}  // namespace keyhold::kms
