// How the server starts and how it ends.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <vector>

#include "server_fixture.h"

namespace keyhold::http {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::ptrdiff_t threads_now() {
  using Iterator = std::filesystem::directory_iterator;
  return std::distance(Iterator("/proc/self/task"), Iterator());
}

class ServerLifetime : public ServerTest {
 protected:
  std::string failure() {
    auto started = Server::start(options, echo, overloaded, protocol_error);
    if (started) return "it started";
    EXPECT_EQ(started.error().code(), ErrorCode::kValidation);
    return started.error().message();
  }
};

TEST_F(ServerLifetime, SaysThatThePortIsInUse) {
  start();
  options.port = server->port();
  const std::string where = std::to_string(options.port);
  EXPECT_EQ(failure(),
            "Cannot listen on 127.0.0.1:" + where + ": port " + where + " is already in use.");
  EXPECT_TRUE(serves());
  server.reset();
  start();  // and it is free at once when the other has gone
  EXPECT_TRUE(serves());
}

TEST_F(ServerLifetime, IsFreeToRestartWhileOldConnectionsAreInTimeWait) {
  start();
  options.port = server->port();
  RawClient http = client();
  ASSERT_TRUE(http.send(post("x")));
  ASSERT_TRUE(http.receive());
  server.reset();  // the server closes first, so the wait is its own
  EXPECT_TRUE(http.is_closed_within(10s));
  start();
  EXPECT_TRUE(serves());
}

TEST_F(ServerLifetime, SaysThatAnAddressIsNotThisMachines) {
  options.host = "192.0.2.1";  // RFC 5737: documentation only
  const auto started = Server::start(options, echo, overloaded, protocol_error);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), testing::StartsWith("Cannot listen on 192.0.2.1:0: "));
  EXPECT_NE(started.error().code(), ErrorCode::kValidation) << "it may be its address later";
  options.host = "not an address";
  EXPECT_EQ(failure(), "Cannot listen on not an address: it is no address of this machine.");
}

TEST_F(ServerLifetime, ListensOnAName) {
  options.host = "localhost";
  start();
  EXPECT_TRUE(serves());
}

TEST_F(ServerLifetime, RefusesOptionsOutOfRangeByName) {
  const auto refuses = [&](const char* name, auto change) {
    options = {};
    change(options);
    EXPECT_THAT(failure(), testing::StartsWith(name));
  };
  refuses("io_threads", [](ServerOptions& o) { o.io_threads = 0; });
  refuses("worker_threads", [](ServerOptions& o) { o.worker_threads = 0; });
  refuses("queue_limit", [](ServerOptions& o) { o.queue_limit = 0; });
  refuses("max_connections", [](ServerOptions& o) { o.max_connections = 0; });
  refuses("body_limit", [](ServerOptions& o) { o.body_limit = 0; });
  refuses("header_limit", [](ServerOptions& o) { o.header_limit = 10; });
  refuses("total_body_limit", [](ServerOptions& o) { o.total_body_limit = o.body_limit - 1; });
  refuses("header_read_timeout", [](ServerOptions& o) { o.header_read_timeout = 0ms; });
  refuses("body_read_timeout", [](ServerOptions& o) { o.body_read_timeout = -1ms; });
  refuses("write_timeout", [](ServerOptions& o) { o.write_timeout = 0ms; });
  refuses("idle_timeout", [](ServerOptions& o) { o.idle_timeout = 0ms; });
  refuses("linger_timeout", [](ServerOptions& o) { o.linger_timeout = 0ms; });
}

TEST_F(ServerLifetime, LeavesNoThreadBehind) {
  std::thread([] {}).join();  // a sanitizer may keep a thread of its own from the first one on
  const std::ptrdiff_t before = threads_now();
  for (int i = 0; i < 10; ++i) {
    start();
    EXPECT_GE(threads_now(), before + 6);
    EXPECT_TRUE(serves());
    RawClient idle = client();
    server.reset();
    EXPECT_EQ(threads_now(), before);
  }
}

TEST_F(ServerLifetime, DrainAnswersWhatRunsClosesWhatIsIdleAndTakesNothingNew) {
  Gate gate;
  options.worker_threads = 1;
  start(gate.handler());
  RawClient running = client();
  RawClient queued = client();
  RawClient arriving = client();
  RawClient idle = client();
  ASSERT_TRUE(running.send(post("running") + post("next")));
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 1; }));
  ASSERT_TRUE(queued.send(post("queued")));
  ASSERT_TRUE(eventually([&] { return server->waiting() == 1; }));
  const std::string request = post("arriving");
  ASSERT_TRUE(arriving.send(request.substr(0, 20)));
  ASSERT_TRUE(eventually([&] { return server->connections() == 4; }));
  std::this_thread::sleep_for(100ms);  // what was sent has been read

  std::future<void> drained = std::async(std::launch::async, [&] { server->drain(20s); });
  EXPECT_TRUE(idle.is_closed_within(10s));
  EXPECT_TRUE(eventually([&] { return !RawClient().connect(server->port()); }));
  EXPECT_EQ(drained.wait_for(100ms), std::future_status::timeout);
  ASSERT_TRUE(arriving.send(request.substr(20)));
  gate.open();

  for (auto* http : {&running, &queued, &arriving}) {
    const auto response = http->receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->header("Connection"), "close");
  }
  EXPECT_TRUE(running.is_closed_within(10s));  // the pipelined one was not begun
  for (auto* http : {&running, &queued, &arriving}) http->finish_sending();
  drained.wait();
  EXPECT_EQ(gate.came_in(), 3);
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(ServerLifetime, DrainCutsWhatOutlivesTheGraceButWaitsForHandlers) {
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  options.worker_threads = 1;
  start([&](Request& request) {
    ++begun;
    std::this_thread::sleep_for(500ms);
    ++ended;
    return echo(request);
  });
  RawClient running = client();
  RawClient queued = client();
  RawClient arriving = client();
  ASSERT_TRUE(running.send(post("running")));
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  ASSERT_TRUE(queued.send(post("queued")));
  ASSERT_TRUE(eventually([&] { return server->waiting() == 1; }));
  ASSERT_TRUE(arriving.send("POST / HTTP/1.1\r\n"));
  ASSERT_TRUE(eventually([&] { return server->connections() == 3; }));
  std::this_thread::sleep_for(50ms);

  const auto before = Clock::now();
  server->drain(50ms);
  EXPECT_LT(Clock::now() - before, 10s);
  EXPECT_EQ(begun, 1);  // the queued one was dropped
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(server->connections(), 0U);
  EXPECT_FALSE(running.receive());
  EXPECT_FALSE(queued.receive());
  EXPECT_FALSE(arriving.receive());
  server->drain(1s);  // again, without effect
}

TEST_F(ServerLifetime, EndsWithBusyClientsAtAnyMoment) {
  for (int round = 0; round < 20; ++round) {
    start();
    const std::uint16_t port = server->port();
    std::atomic<bool> done = false;
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&done, port] {
        while (!done) {
          RawClient http;
          if (!http.connect(port)) return;
          for (int i = 0; i < 20 && http.send(post("x")) && http.receive(); ++i) {
          }
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * (round / 2)));
    server->drain(round % 2 == 0 ? 0ms : 5s);
    EXPECT_EQ(server->connections(), 0U);
    server.reset();
    done = true;
    for (std::thread& thread : clients) thread.join();
  }
}

}  // namespace
}  // namespace keyhold::http
