// The body of a Query protocol request: application/x-www-form-urlencoded.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sts/fault.h"

namespace keyhold::sts {

inline constexpr std::size_t kMaxParameters = 256;

/// The parameters of a call by name. Values may be secret (a web identity token): they go nowhere
/// but to what reads them.
class Form {
 public:
  /// kValidationError for a body that is no form: an escape that is none, a name that comes twice,
  /// text that is not UTF-8, or more parameters than any call has.
  static Answer<Form> parse(std::string_view body);

  /// Nothing if it is absent.
  std::optional<std::string_view> find(std::string_view name) const;

  const std::map<std::string, std::string, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace keyhold::sts
