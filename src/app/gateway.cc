#include "app/gateway.h"

#include <chrono>

#include "api/error_body.h"
#include "app/request_facts.h"
#include "base/log.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kJson = "application/x-amz-json-1.1";
constexpr std::string_view kXml = "application/xml";

http::Response error_response(const Error& error) {
  http::Response response;
  response.status = error_row(error.code()).http_status;
  response.content_type = kJson;
  response.body = api::error_body(error);
  return response;
}

/// KMS has one resource. What is not POST / with a target is not a call of this protocol at all and
/// gets the front end's XML, as other services of its stack answer.
http::Response not_a_call() {
  http::Response response;
  response.status = 404;
  response.content_type = kXml;
  response.body = Secret(std::string_view("<UnknownOperationException/>\n"));
  return response;
}

/// STS words its errors by itself; the metrics tell their kinds apart.
std::optional<ErrorCode> kind_of_status(int status) {
  if (status < 400) return std::nullopt;
  if (status == 403) return ErrorCode::kAccessDenied;
  return status < 500 ? ErrorCode::kValidation : ErrorCode::kKmsInternal;
}

Error throttled() {
  return Error(ErrorCode::kThrottling,
               "You have exceeded the rate at which you may call KMS. Reduce the frequency of your "
               "calls.");
}

}  // namespace

http::Response Gateway::handle(http::Request& request) {
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome{metrics_.index_of_unknown(), std::nullopt};
  http::Response response;
  if (SessionGateway::takes(request)) {
    response = sessions_.handle(request);
    outcome = {metrics_.index_of(CallMetrics::kSts), kind_of_status(response.status)};
  } else {
    response = handle_call(request, outcome);
  }
  metrics_.note(outcome.operation, outcome.error, std::chrono::steady_clock::now() - start);
  return response;
}

http::Response Gateway::refuse(const Error& error, Outcome& outcome) const {
  outcome.error = error.code();
  return error_response(error);
}

http::Response Gateway::handle_call(http::Request& request, Outcome& outcome) {
  const auto query = request.target.find('?');
  const auto target = header(request, "x-amz-target");
  if (request.method != "POST" || request.target.substr(0, query) != "/" || target.empty()) {
    outcome.error = ErrorCode::kUnknownOperation;
    return not_a_call();
  }
  const iam::SignedRequest as_signed{request.method, request.target, request.headers, request.body};
  const TimePoint now = clock_.now();
  const auto caller = verifier_.verify(as_signed, now);
  if (!caller) {
    log::debug("refused: " + std::string(error_row(caller.error().code()).wire_name));
    return refuse(caller.error(), outcome);
  }
  if (limiter_.take(caller->credential->principal.arn) == RateLimiter::Verdict::kThrottled) {
    return refuse(throttled(), outcome);
  }
  const iam::Actor actor = identities_.actor(*caller->credential);
  const api::Requester requester{actor.principal.account,
                                 actor.principal.arn,
                                 caller->region,
                                 &actor,
                                 {now, request.peer_address, transport_of(request),
                                  header(request, "user-agent"), caller->region, actor.issued_at}};
  const std::string event_id = EventRecorder::draw_event_id();
  api::Answer answer =
      dispatcher_.handle(api::Call{target, request.body, requester, request.request_id, event_id});

  outcome.operation = metrics_.index_of(answer.record.operation);
  if (answer.record.error) outcome.error = answer.record.error->code();

  const auto recorded = recorder_.record_call(
      {*caller, requester, answer.record, header(request, "user-agent"), request.peer_address,
       request.request_id, event_id, header(request, "host"), request.tls});
  if (!recorded) {
    // What cannot be put on record does not leave the service as if it were.
    return refuse(recorded.error(), outcome);
  }
  http::Response response;
  response.status = answer.status;
  response.content_type = kJson;
  response.body = std::move(answer.body);
  return response;
}

http::Weight Gateway::weigh(const http::Request& request) {
  if (SessionGateway::takes(request)) return http::Weight::kHeavy;  // it ends on the disk
  return api::Dispatcher::weight(header(request, "x-amz-target")) == api::Weight::kHeavy
             ? http::Weight::kHeavy
             : http::Weight::kLight;
}

http::Response Gateway::overload(http::Request&) { return error_response(throttled()); }

ErrorCode Gateway::code_of_unavailable(const http::Request& request) {
  return api::Dispatcher::code_of_unavailable(header(request, "x-amz-target"));
}

http::Response Gateway::unavailable(ErrorCode code) {
  return error_response(
      Error(code,
            "The request was rejected because the specified KMS key was not available. You can "
            "retry the request."));
}

http::Response Gateway::protocol_error(http::ProtocolError error) {
  if (error == http::ProtocolError::kBodyTooLarge) {
    return error_response(Error(ErrorCode::kRequestEntityTooLarge));
  }
  if (error == http::ProtocolError::kInternal) {
    return error_response(Error(ErrorCode::kKmsInternal));
  }
  http::Response response;
  response.status = http::default_status(error);
  response.content_type = kJson;
  response.body = Secret(std::string_view(R"({"__type":"MalformedHttpRequestException"})"));
  return response;
}

}  // namespace keyhold::app
