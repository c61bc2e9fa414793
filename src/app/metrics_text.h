// Prometheus' text format: written here, since what counts is counted elsewhere and a library that
// counts too would sit on every call's path.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace keyhold::app {

class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a metric, whose samples follow. `type`: counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);

  template <typename Number>
  void sample(Labels labels, Number value) {
    write("", labels, static_cast<double>(value));
  }
  /// `suffix`: `_bucket`, `_sum` or `_count` of a histogram.
  template <typename Number>
  void sample(std::string_view suffix, Labels labels, Number value) {
    write(suffix, labels, static_cast<double>(value));
  }

  std::string take() && { return std::move(text_); }

 private:
  void write(std::string_view suffix, Labels labels, double value);

  std::string name_;
  std::string text_;
};

}  // namespace keyhold::app
