#include "app/config_value.h"

namespace keyhold::app {

Error bad_value(std::string_view value, std::string_view wanted) {
  return Error(ErrorCode::kValidation,
               "'" + std::string(value) + "' is not " + std::string(wanted));
}

Result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::string_view kWanted = "a duration like 90s, 20m, 12h or 365d";
  // A century: beyond it dates overflow before anybody learns anything.
  constexpr milliseconds kMost = kDay * 36525;
  milliseconds sum{0};
  std::string_view rest = text;
  if (rest.empty()) return bad_value(text, kWanted);
  while (!rest.empty()) {
    long count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (error != std::errc{} || count < 0 || count > 1'000'000'000) return bad_value(text, kWanted);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    milliseconds unit{0};
    std::size_t letters = 1;
    if (rest.starts_with("ms")) {
      unit = milliseconds(1);
      letters = 2;
    } else if (rest.starts_with('s')) {
      unit = std::chrono::seconds(1);
    } else if (rest.starts_with('m')) {
      unit = std::chrono::minutes(1);
    } else if (rest.starts_with('h')) {
      unit = std::chrono::hours(1);
    } else if (rest.starts_with('d')) {
      unit = kDay;
    } else {
      return bad_value(text, kWanted);
    }
    rest.remove_prefix(letters);
    sum += unit * count;
    if (sum > kMost) return bad_value(text, kWanted);
  }
  return sum;
}

}  // namespace keyhold::app
