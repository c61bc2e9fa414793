#include "app/admin_pages.h"

#include <string>
#include <string_view>

#include "app/running_service.h"
#include "app/service_metrics.h"
#include "base/json.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

http::Response page(int status, std::string_view type, std::string_view text) {
  http::Response response;
  response.status = status;
  response.content_type = type;
  response.body = Secret(text);
  return response;
}

http::Response readiness(RunningService& service) {
  const auto ready = service.check_readiness();
  json::Writer writer;
  writer.begin_object().key("ready").boolean(static_cast<bool>(ready));
  if (!ready) writer.key("reason").string(ready.error().detail());
  writer.end_object();
  return page(ready ? 200 : 503, "application/json", std::string(writer.text()) + "\n");
}

}  // namespace

http::Response answer_admin(RunningService& service, const http::Request& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const bool known = path == "/livez" || path == "/readyz" || path == "/metrics";
  if (!known) return page(404, kText, "there is no such page\n");
  if (request.method != "GET" && request.method != "HEAD") {
    return page(405, kText, "this page is only read\n");
  }
  if (path == "/livez") return page(200, kText, "alive\n");
  if (path == "/readyz") return readiness(service);
  return page(200, "text/plain; version=0.0.4; charset=utf-8", print_metrics(service));
}

http::Response overloaded_admin(const http::Request&) { return page(503, kText, "overloaded\n"); }

http::Response admin_protocol_error(http::ProtocolError error) {
  return page(http::default_status(error), kText, "not understood\n");
}

}  // namespace keyhold::app
