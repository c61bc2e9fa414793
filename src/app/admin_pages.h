// What the admin address answers: whether the process lives, whether it can serve, and what it
// counts. No page changes anything, and none is part of the API.
#pragma once

#include "http/message.h"

namespace keyhold::app {

class RunningService;

/// `GET /livez`, `/readyz` and `/metrics`; 404 for anything else.
http::Response answer_admin(RunningService& service, const http::Request& request);

/// For a request that finds no room.
http::Response overloaded_admin(const http::Request& request);

/// For what is not a request.
http::Response admin_protocol_error(http::ProtocolError error);

}  // namespace keyhold::app
