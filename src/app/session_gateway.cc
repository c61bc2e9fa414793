#include "app/session_gateway.h"

#include <optional>

#include "app/request_facts.h"
#include "base/log.h"
#include "sts/xml.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kXml = "text/xml";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

http::Response response_of(sts::Reply reply) {
  http::Response response;
  response.status = reply.status;
  response.content_type = kXml;
  response.body = std::move(reply.body);
  return response;
}

}  // namespace

bool SessionGateway::takes(const http::Request& request) {
  return request.method == "POST" && request.target.substr(0, request.target.find('?')) == "/" &&
         header(request, "x-amz-target").empty() &&
         header(request, "content-type").starts_with(kForm);
}

http::Response SessionGateway::handle(const http::Request& request) {
  const TimePoint now = clock_.now();
  const auto form = sts::Form::parse(as_text(request.body));
  if (!form) return response_of(sts::Service::refuse(form.error(), request.request_id));

  std::optional<iam::Caller> caller;
  std::optional<iam::Actor> actor;
  if (sts::Service::signature_of(*form) == sts::Signature::kRequired) {
    auto verified =
        verifier_.verify({request.method, request.target, request.headers, request.body}, now);
    if (!verified) {
      log::debug(request.request_id +
                 " refused: " + std::string(error_row(verified.error().code()).wire_name));
      return response_of(sts::Service::refuse(sts::fault_of(verified.error()), request.request_id));
    }
    caller = std::move(*verified);
    actor = identities_.actor(*caller->credential);
  }
  const std::string region = caller ? caller->region : std::string("us-east-1");
  sts::Reply reply = service_.handle(
      {*form,
       actor ? &*actor : nullptr,
       {now, request.peer_address, transport_of(request), header(request, "user-agent"), region,
        actor ? actor->issued_at : std::nullopt},
       request.request_id});

  const auto recorded = recorder_.record_session_call(
      {caller ? &*caller : nullptr, reply.record, region, header(request, "user-agent"),
       request.peer_address, request.request_id, header(request, "host"), request.tls});
  if (!recorded) {
    // Credentials that are not on record do not leave the service.
    return response_of(
        sts::Service::refuse({sts::FaultCode::kInternalFailure, ""}, request.request_id));
  }
  return response_of(std::move(reply));
}

}  // namespace keyhold::app
