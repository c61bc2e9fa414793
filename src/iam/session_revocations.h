// Temporary credentials that are not good any more.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/snapshot.h"

namespace keyhold::iam {

/// By subject, a role's ARN or an access key id: what was issued to it before an instant is
/// revoked. Read by many threads at once.
class SessionRevocations {
 public:
  using Map = std::unordered_map<std::string, TimePoint>;

  void publish(Map issued_before) {
    issued_before_.publish(std::make_shared<const Map>(std::move(issued_before)));
  }

  bool is_revoked(std::string_view role_arn, std::string_view access_key_id,
                  TimePoint issued_at) const {
    const Map& map = issued_before_.read();
    if (map.empty()) return false;
    for (const std::string_view subject : {role_arn, access_key_id}) {
      const auto found = map.find(std::string(subject));
      if (found != map.end() && issued_at < found->second) return true;
    }
    return false;
  }

 private:
  Snapshot<Map> issued_before_;
};

}  // namespace keyhold::iam
