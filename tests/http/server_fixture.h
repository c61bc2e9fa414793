// A server on a free port, answering as a test wants.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "http/server.h"
#include "raw_client.h"

namespace keyhold::http {

/// 200 and the request's body.
inline Response echo(Request& request) {
  Response response;
  response.content_type = "application/octet-stream";
  response.body = Secret(ByteView(request.body));
  return response;
}

/// 400 and "overloaded".
inline Response overloaded(Request& /*request*/) {
  Response response;
  response.status = 400;
  response.content_type = "text/plain";
  response.body = Secret(std::string_view("overloaded"));
  return response;
}

/// The error's own status, and its number as the body.
inline Response protocol_error(ProtocolError error) {
  Response response;
  response.status = default_status(error);
  response.content_type = "text/plain";
  response.body = Secret("error " + std::to_string(static_cast<int>(error)));
  return response;
}

inline std::string body_of(ProtocolError error) {
  return "error " + std::to_string(static_cast<int>(error));
}

/// A handler that waits until it is let go, and tells how many came in. Opens at its end, so that
/// a failed test does not wait for it.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { open(); }

  Handler handler() const {
    return [state = state_](Request& request) {
      ++state->came_in;
      state->opened.wait();
      return echo(request);
    };
  }
  int came_in() const { return state_->came_in; }
  void open() {
    if (!std::exchange(is_open_, true)) state_->open.set_value();
  }

 private:
  struct State {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::atomic<int> came_in = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  bool is_open_ = false;
};

class ServerTest : public testing::Test {
 protected:
  void start(Handler handler = echo) {
    Result<std::unique_ptr<Server>> started =
        Server::start(options, std::move(handler), overloaded, protocol_error);
    ASSERT_TRUE(started.has_value()) << started.error().message();
    server = std::move(*started);
  }

  RawClient client() const { return RawClient(server->port()); }

  /// Whether a fresh connection gets a right answer.
  bool serves() const {
    RawClient fresh = client();
    if (!fresh.send(post("still there"))) return false;
    const std::optional<ClientResponse> response = fresh.receive();
    return response && response->status == 200 && response->body == "still there";
  }

  ServerOptions options;
  std::unique_ptr<Server> server;
};

/// Waits until `condition` holds; whether it does within a time that is long enough.
template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace keyhold::http
