// Calls of STS: authenticate → handle → audit.
#pragma once

#include "app/event_recorder.h"
#include "base/clock.h"
#include "http/message.h"
#include "iam/identity_directory.h"
#include "iam/sigv4.h"
#include "sts/service.h"

namespace keyhold::app {

class SessionGateway {
 public:
  /// Everything outlives it. `verifier` is of the scope `sts`.
  SessionGateway(const iam::SigV4Verifier& verifier, const iam::IdentityDirectory& identities,
                 const sts::Service& service, EventRecorder& recorder, const Clock& wall_clock)
      : verifier_(verifier),
        identities_(identities),
        service_(service),
        recorder_(recorder),
        clock_(wall_clock) {}

  /// Whether a request speaks STS's protocol: a form posted to `/`, without an X-Amz-Target.
  static bool takes(const http::Request& request);

  http::Response handle(const http::Request& request);

 private:
  const iam::SigV4Verifier& verifier_;
  const iam::IdentityDirectory& identities_;
  const sts::Service& service_;
  EventRecorder& recorder_;
  const Clock& clock_;
};

}  // namespace keyhold::app
