#include "audit/event_bridge.h"

#include <string_view>

#include "base/json.h"

namespace keyhold::audit {
namespace {

void member(json::Writer& json, std::string_view name, std::string_view text) {
  json.key(name).string(text);
}

std::string render(const EventBridgeOrigin& origin, std::string_view detail_type,
                   std::string_view key_arn, std::string_view detail) {
  json::Writer json;
  json.begin_object();
  member(json, "version", "0");
  member(json, "id", origin.id);
  member(json, "detail-type", detail_type);
  member(json, "source", "aws.kms");
  member(json, "account", origin.account_id);
  member(json, "time", to_iso8601(origin.time));
  member(json, "region", origin.region);
  json.key("resources").begin_array().string(key_arn).end_array();
  json.key("detail").raw(detail);
  json.end_object();
  return std::string(json.text());
}

}  // namespace

std::string render_rotation(const EventBridgeOrigin& origin, const Rotation& rotation) {
  json::Writer detail;
  detail.begin_object();
  member(detail, "key-id", rotation.key_id);
  member(detail, "key-origin", to_string(rotation.origin));
  member(detail, "rotation-type", to_string(rotation.type));
  member(detail, "previous-key-material-id", rotation.previous_key_material_id);
  member(detail, "current-key-material-id", rotation.current_key_material_id);
  detail.end_object();
  return render(origin, "KMS CMK Rotation", rotation.key_arn, detail.text());
}

std::string render_deletion(const EventBridgeOrigin& origin, const std::string& key_id,
                            const std::string& key_arn) {
  json::Writer detail;
  detail.begin_object();
  member(detail, "key-id", key_id);
  detail.end_object();
  return render(origin, "KMS CMK Deletion", key_arn, detail.text());
}

std::string render_material_expiration(const EventBridgeOrigin& origin, const std::string& key_id,
                                       const std::string& key_arn, const std::string& material_id) {
  json::Writer detail;
  detail.begin_object();
  member(detail, "key-id", key_id);
  member(detail, "key-material-id", material_id);
  detail.end_object();
  return render(origin, "KMS Imported Key Material Expiration", key_arn, detail.text());
}

}  // namespace keyhold::audit
