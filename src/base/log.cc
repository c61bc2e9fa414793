#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "base/json.h"

namespace keyhold::log {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
// What follows the level is members of the object, made in line_of().
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)";

thread_local std::string_view request_id;
Form the_form = Form::kText;

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("keyhold",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kTextPattern, spdlog::pattern_time_type::utc);
    return made;
  }();
  return *instance;
}

std::string line_of(std::string_view message) {
  if (the_form == Form::kText) {
    if (request_id.empty() || message.starts_with(request_id)) return std::string(message);
    return std::string(request_id) + " " + std::string(message);
  }
  json::Writer writer;
  writer.begin_object().key("message").string(message);
  if (!request_id.empty()) writer.key("requestId").string(request_id);
  writer.end_object();
  return std::string(writer.text().substr(1));
}

void write(spdlog::level::level_enum level, std::string_view message) {
  if (logger().should_log(level)) logger().log(level, "{}", line_of(message));
}

}  // namespace

void set_level(Level level) {
  switch (level) {
    case Level::kDebug:
      logger().set_level(spdlog::level::debug);
      break;
    case Level::kInfo:
      logger().set_level(spdlog::level::info);
      break;
    case Level::kWarning:
      logger().set_level(spdlog::level::warn);
      break;
    case Level::kError:
      logger().set_level(spdlog::level::err);
      break;
  }
}

void set_form(Form form) {
  the_form = form;
  logger().set_pattern(form == Form::kJson ? kJsonPattern : kTextPattern,
                       spdlog::pattern_time_type::utc);
}

void debug(std::string_view line) { write(spdlog::level::debug, line); }
void info(std::string_view line) { write(spdlog::level::info, line); }
void warning(std::string_view line) { write(spdlog::level::warn, line); }
void error(std::string_view line) { write(spdlog::level::err, line); }

RequestScope::RequestScope(std::string_view id) : outer_(request_id) { request_id = id; }
RequestScope::~RequestScope() { request_id = outer_; }

}  // namespace keyhold::log
