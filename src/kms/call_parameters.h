// What a call asks for, as rules of the domain read it: by the API's names of members.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kms/encryption_context.h"
#include "kms/tag.h"

namespace keyhold::kms {

/// A member that is absent, or not of the kind asked for, is nothing. A member of a structure is
/// named with the structure's, `Constraints.SourceArn`.
class CallParameters {
 public:
  virtual ~CallParameters() = default;
  virtual const std::string* text(std::string_view member) const = 0;
  virtual std::optional<std::int64_t> number(std::string_view member) const = 0;
  virtual std::optional<bool> boolean(std::string_view member) const = 0;
  virtual std::optional<TimePoint> instant(std::string_view member) const = 0;
  virtual std::span<const std::string> list(std::string_view member) const = 0;
  virtual const EncryptionContext* context(std::string_view member) const = 0;
  virtual std::vector<Tag> tags(std::string_view member) const = 0;

  /// An absent one is false.
  bool flag(std::string_view member) const { return boolean(member).value_or(false); }
};

/// A call that gives nothing, to be derived from by what stands for one of which little is known.
class NoParameters : public CallParameters {
 public:
  const std::string* text(std::string_view) const override { return nullptr; }
  std::optional<std::int64_t> number(std::string_view) const override { return std::nullopt; }
  std::optional<bool> boolean(std::string_view) const override { return std::nullopt; }
  std::optional<TimePoint> instant(std::string_view) const override { return std::nullopt; }
  std::span<const std::string> list(std::string_view) const override { return {}; }
  const EncryptionContext* context(std::string_view) const override { return nullptr; }
  std::vector<Tag> tags(std::string_view) const override { return {}; }
};

}  // namespace keyhold::kms
