// What changes in a key's row at somebody's wish: its description, state, tags, policy and rotation
// schedule. Each is written before the answer, under the key's lock and if its newest state allows.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kms/domain.h"

namespace keyhold::kms {

// Service's operations of these names.
Result<void> update_description(Domain& domain, const Key& key, std::string_view description);
Result<void> enable_key(Domain& domain, const Key& key);
Result<void> disable_key(Domain& domain, const Key& key);
Result<TimePoint> schedule_deletion(Domain& domain, const Key& key, int pending_window_days);
Result<void> cancel_deletion(Domain& domain, const Key& key);
Result<void> put_policy(Domain& domain, const Key& key, std::string_view text);
Result<void> tag_key(Domain& domain, const Key& key, std::span<const store::Tag> tags);
Result<void> untag_key(Domain& domain, const Key& key, std::span<const std::string> tag_keys);
Result<void> enable_rotation(Domain& domain, const Key& key, int period_days);
Result<void> disable_rotation(Domain& domain, const Key& key);

}  // namespace keyhold::kms
