#include "app/inspection.h"

#include "base/json.h"
#include "store/words.h"

namespace keyhold::app {
namespace {

void write_shown(json::Writer& writer, std::string_view name, const std::optional<bool>& value) {
  writer.key(name);
  if (value) {
    writer.boolean(*value);
  } else {
    writer.string("not shown");  // what a token does not show must never read as ok
  }
}

void write_evidence(json::Writer& writer, const token::ObjectEvidence& evidence) {
  writer.begin_object();
  write_shown(writer, "CKA_LOCAL", evidence.local);
  write_shown(writer, "CKA_SENSITIVE", evidence.sensitive);
  write_shown(writer, "CKA_ALWAYS_SENSITIVE", evidence.always_sensitive);
  write_shown(writer, "CKA_EXTRACTABLE", evidence.extractable);
  write_shown(writer, "CKA_NEVER_EXTRACTABLE", evidence.never_extractable);
  writer.end_object();
}

/// Of a material that is kept outside: what the token says of the key that wraps it, and of what it
/// is unwrapped to.
void write_wrapped(json::Writer& writer, const store::MaterialRecord& row,
                   const Result<token::WrappedEvidence>& evidence) {
  writer.key("wrappingKey").begin_object();
  writer.key("objectName").string(row.wrapped->custody_key.hex());
  writer.key("token");
  if (evidence) {
    write_evidence(writer, evidence->wrapping_key);
  } else {
    writer.null();
  }
  writer.end_object();
  writer.key("token");
  if (evidence) {
    write_evidence(writer, evidence->unwrapped);
  } else {
    writer.null();
  }
}

void write_list(json::Writer& writer, std::string_view name,
                const std::vector<std::string>& lines) {
  writer.key(name).begin_array();
  for (const auto& line : lines) writer.string(line);
  writer.end_array();
}

}  // namespace

Result<std::string> inspect_key(kms::Service& service, token::Token& token,
                                std::string_view key_id) {
  const auto key = service.inspect_key(key_id);
  if (!key) {
    return Error(ErrorCode::kNotFound, "there is no key " + std::string(key_id));
  }
  const auto& record = key->record();
  const auto identity = token.identity();
  json::Writer writer;
  writer.begin_object();
  writer.key("arn").string(key->arn());
  writer.key("state").string(to_string(record.state));
  writer.key("token").begin_object();
  writer.key("label").string(identity.label);
  writer.key("serial").string(identity.serial);
  writer.key("manufacturer").string(identity.manufacturer);
  writer.key("model").string(identity.model);
  writer.end_object();
  writer.key("materials").begin_array();
  for (const auto& material : key->materials()) {
    const auto& row = material->record;
    writer.begin_object();
    writer.key("materialId").string(row.material_id);
    writer.key("state").string(material.get() == key->find_current_material() ? "CURRENT"
                               : material.get() == key->pending_material()    ? "PENDING_ROTATION"
                                                                              : "NON_CURRENT");
    writer.key("custody").string(to_string(row.custody));
    writer.key("construction").string(to_string(row.construction));
    writer.key("createdAt").string(to_iso8601(row.created_at));
    if (row.rotation_type) writer.key("rotationType").string(to_string(*row.rotation_type));
    if (row.rotated_at) writer.key("rotatedAt").string(to_iso8601(*row.rotated_at));
    if (row.presence != store::MaterialPresence::kPresent) {
      // What was imported and is no longer there has no object to show.
      writer.key("importState").string("PENDING_IMPORT");
      writer.end_object();
      continue;
    }
    if (record.origin == KeyOrigin::kExternal) {
      writer.key("importState").string("IMPORTED");
      if (row.valid_to) writer.key("validTo").string(to_iso8601(*row.valid_to));
    }
    if (row.wrapped) {
      write_wrapped(writer, row, token.wrapped_evidence(material->use));
    } else {
      const auto evidence = token.evidence(row.object_name);
      writer.key("token");
      if (evidence) {
        write_evidence(writer, *evidence);
      } else {
        writer.null();
      }
    }
    const auto checked = token.check_material(material->use);
    writer.key("checkValue").string(checked ? "matches" : "FAILS");
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
  return std::string(writer.text());
}

std::string render_wrapping_keys(const std::vector<kms::CustodyKeyStatus>& keys) {
  json::Writer writer;
  writer.begin_object();
  writer.key("wrappingKeys").begin_array();
  for (const auto& key : keys) {
    writer.begin_object();
    writer.key("objectName").string(key.record.object_name.hex());
    writer.key("state").string(store::to_string(key.record.state));
    writer.key("createdAt").string(to_iso8601(key.record.created_at));
    writer.key("keyMaterials").integer(static_cast<std::int64_t>(key.materials));
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
  return std::string(writer.text());
}

Result<std::string> render_reconcile(const kms::ReconcileReport& report) {
  json::Writer writer;
  writer.begin_object();
  write_list(writer, "finished", report.finished);
  write_list(writer, "withdrawn", report.withdrawn);
  write_list(writer, "strangers", report.strangers);
  write_list(writer, "alarms", report.alarms);
  writer.end_object();
  return std::string(writer.text());
}

}  // namespace keyhold::app
