// What EventBridge would be told of a key, as whole EventBridge events.
// https://docs.aws.amazon.com/kms/latest/developerguide/kms-events.html
#pragma once

#include <string>

#include "audit/event.h"
#include "base/clock.h"

namespace keyhold::audit {

/// Which event it is, and where it belongs.
struct EventBridgeOrigin {
  std::string id;  ///< a UUID
  TimePoint time;
  std::string account_id;
  std::string region;
};

/// `KMS CMK Rotation`, on one line without a line end.
std::string render_rotation(const EventBridgeOrigin& origin, const Rotation& rotation);

/// `KMS CMK Deletion`, on one line without a line end.
std::string render_deletion(const EventBridgeOrigin& origin, const std::string& key_id,
                            const std::string& key_arn);

/// `KMS Imported Key Material Expiration`, on one line without a line end.
std::string render_material_expiration(const EventBridgeOrigin& origin, const std::string& key_id,
                                       const std::string& key_arn, const std::string& material_id);

}  // namespace keyhold::audit
