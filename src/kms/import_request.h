// What ImportKeyMaterial asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"

namespace keyhold::kms {

/// Whether a material is the key's already (ImportKeyMaterial, "ImportType").
enum class ImportType : std::uint8_t { kNew, kExisting };

struct ImportRequest {
  Bytes import_token;
  Bytes encrypted_key_material;
  std::optional<TimePoint> valid_to{};  ///< absent: it does not expire
  std::optional<ImportType> type{};
  std::optional<std::string> description{};
  std::optional<std::string> material_id{};
};

}  // namespace keyhold::kms
