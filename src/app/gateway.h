// The one function http holds: authenticate → dispatch → audit.
#pragma once

#include <optional>
#include <string_view>

#include "api/dispatcher.h"
#include "app/call_metrics.h"
#include "app/event_recorder.h"
#include "app/rate_limiter.h"
#include "app/session_gateway.h"
#include "base/clock.h"
#include "http/server.h"
#include "iam/identity_directory.h"
#include "iam/sigv4.h"

namespace keyhold::app {

class Gateway {
 public:
  /// Everything outlives the gateway. `wall_clock` is the machine's, for signatures.
  Gateway(const iam::SigV4Verifier& verifier, const iam::IdentityDirectory& identities,
          api::Dispatcher& dispatcher, SessionGateway& sessions, EventRecorder& recorder,
          RateLimiter& limiter, CallMetrics& metrics, const Clock& wall_clock)
      : verifier_(verifier),
        identities_(identities),
        dispatcher_(dispatcher),
        sessions_(sessions),
        recorder_(recorder),
        limiter_(limiter),
        metrics_(metrics),
        clock_(wall_clock) {}

  http::Response handle(http::Request& request);

  /// How heavy a request is, told from its X-Amz-Target.
  static http::Weight weigh(const http::Request& request);
  /// For a request that finds no room.
  static http::Response overload(http::Request& request);
  /// For a request that comes before the token does.
  static http::Response unavailable(ErrorCode code);
  /// What that is: as the operation's page has it.
  static ErrorCode code_of_unavailable(const http::Request& request);
  /// For what is not a request.
  static http::Response protocol_error(http::ProtocolError error);

 private:
  /// What the metrics are told of a call.
  struct Outcome {
    std::size_t operation;  ///< CallMetrics::index_of()
    std::optional<ErrorCode> error;
  };
  http::Response handle_call(http::Request& request, Outcome& outcome);
  http::Response refuse(const Error& error, Outcome& outcome) const;

  const iam::SigV4Verifier& verifier_;
  const iam::IdentityDirectory& identities_;
  api::Dispatcher& dispatcher_;
  SessionGateway& sessions_;
  EventRecorder& recorder_;
  RateLimiter& limiter_;
  CallMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace keyhold::app
