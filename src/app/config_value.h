// Reading single values of the configuration.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace keyhold::app {

/// kValidation: `'x' is not <wanted>`.
Error bad_value(std::string_view value, std::string_view wanted);

template <typename Number>
Result<Number> parse_number(std::string_view text, Number least, Number most,
                            std::string_view wanted) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return bad_value(text, wanted);
  }
  return number;
}

/// `250ms`, `90s`, `20m`, `12h`, `365d`; several may follow each other, as `1d12h`.
Result<milliseconds> parse_duration(std::string_view text);

}  // namespace keyhold::app
