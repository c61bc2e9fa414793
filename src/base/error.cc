#include "base/error.h"

#include <array>
#include <stdexcept>

#include "base/result.h"

namespace keyhold {
namespace {

constexpr auto kRows = std::to_array<ErrorRow>({
#define KEYHOLD_ERROR(code, wire_name, status, blame) {wire_name, status, Blame::blame},
#include "base/error.def"
#undef KEYHOLD_ERROR
});

}  // namespace

const ErrorRow& error_row(ErrorCode code) { return kRows.at(static_cast<std::size_t>(code)); }

std::optional<ErrorCode> error_code(std::string_view wire_name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].wire_name == wire_name) return static_cast<ErrorCode>(i);
  }
  return std::nullopt;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("unchecked result: " + std::string(error_row(error.code()).wire_name) +
                         ": " + error.message() + " " + error.detail());
}

}  // namespace keyhold
