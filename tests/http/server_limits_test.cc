// What the server does with clients that are slow, greedy, broken or hostile.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <vector>

#include "base/log.h"
#include "server_fixture.h"

namespace keyhold::http {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Bad {
  const char* name;
  std::string bytes;
  ProtocolError error;
};

class ServerRefuses : public ServerTest, public testing::WithParamInterface<Bad> {};

TEST_P(ServerRefuses, WithItsAnswerThenCloses) {
  std::atomic<int> handled = 0;
  start([&](Request& request) {
    ++handled;
    return echo(request);
  });
  RawClient http = client();
  // A good request before, and what could be taken for one after.
  ASSERT_TRUE(http.send(post("good")));
  EXPECT_EQ(http.receive()->body, "good");
  http.send(GetParam().bytes + post("smuggled"));
  const auto response = http.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, default_status(GetParam().error));
  EXPECT_EQ(response->body, body_of(GetParam().error));
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(response->header("x-amzn-RequestId"));
  EXPECT_TRUE(response->header("Date"));
  EXPECT_TRUE(http.is_closed_within(10s));
  EXPECT_EQ(handled, 1);
  EXPECT_TRUE(serves());
}

INSTANTIATE_TEST_SUITE_P(
    All, ServerRefuses,
    testing::Values(
        Bad{"Noise", "\x16\x03\x01 what is this\r\n\r\n", ProtocolError::kMalformed},
        Bad{"BadRequestLine", "GET /\r\n\r\n", ProtocolError::kMalformed},
        Bad{"LengthAndChunked",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\nG",
            ProtocolError::kMalformed},
        Bad{"TwoLengths",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 6\r\n\r\nabcdef",
            ProtocolError::kMalformed},
        Bad{"HiddenCoding",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            ProtocolError::kMalformed},
        Bad{"BadChunk",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
            ProtocolError::kMalformed},
        Bad{"LongHead", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
            ProtocolError::kHeadersTooLarge},
        Bad{"LongTarget", "GET /" + std::string(200'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n",
            ProtocolError::kHeadersTooLarge},
        Bad{"LongBody",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n" +
                std::string(1'048'577, 'x'),
            ProtocolError::kBodyTooLarge},
        Bad{"LongChunkedBody",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" +
                std::string(1'048'577, 'x') + "\r\n0\r\n\r\n",
            ProtocolError::kBodyTooLarge},
        Bad{"Expectation",
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx",
            ProtocolError::kExpectationFailed}),
    [](const auto& test) { return test.param.name; });

TEST_F(ServerTest, StopsReadingFromARefusedClientThatNeverStops) {
  options.linger_timeout = 200ms;
  start();
  RawClient http = client();
  http.send("nonsense\r\n\r\n");
  ASSERT_EQ(http.receive()->status, 400);
  const auto begun = Clock::now();
  while (http.send(std::string(1000, 'x'))) {
    ASSERT_LT(Clock::now() - begun, 10s);
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST_F(ServerTest, CutsAClientThatSendsItsHeadTooSlowly) {
  options.header_read_timeout = 300ms;
  start();
  RawClient http = client();
  const auto begun = Clock::now();
  // Never silent for long, so only an absolute deadline ends it.
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nX: " + std::string(10'000, 'x');
  bool cut = false;
  for (std::size_t i = 0; i < head.size() && !cut; ++i) {
    cut = !http.send(head.substr(i, 1)) || http.is_closed_within(10ms);
  }
  EXPECT_TRUE(cut);
  EXPECT_GE(Clock::now() - begun, 290ms);
  EXPECT_LT(Clock::now() - begun, 5s);
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_TRUE(serves());
}

TEST_F(ServerTest, CutsAClientThatSendsItsBodyTooSlowly) {
  options.body_read_timeout = 300ms;
  start();
  for (const char* framing : {"Content-Length: 10000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient http = client();
    ASSERT_TRUE(http.send(std::string("POST / HTTP/1.1\r\nHost: h\r\n") + framing + "\r\n"));
    const auto begun = Clock::now();
    bool cut = false;
    for (int i = 0; i < 10'000 && !cut; ++i) {
      cut = !http.send(*framing == 'T' ? "1\r\nx\r\n" : "x") || http.is_closed_within(10ms);
    }
    EXPECT_TRUE(cut) << framing;
    EXPECT_GE(Clock::now() - begun, 290ms) << framing;
    EXPECT_LT(Clock::now() - begun, 5s) << framing;
  }
  EXPECT_TRUE(serves());
}

TEST_F(ServerTest, CutsAnIdleClientAtTheIdleTimeoutAndNotBefore) {
  options.idle_timeout = 400ms;
  options.header_read_timeout = 100ms;  // does not count while nothing has come
  options.body_read_timeout = 100ms;
  start();
  RawClient fresh = client();
  RawClient used = client();
  ASSERT_TRUE(used.send(post("x")));
  ASSERT_TRUE(used.receive());
  EXPECT_FALSE(used.is_closed_within(250ms));
  EXPECT_TRUE(used.is_closed_within(10s));
  EXPECT_TRUE(fresh.is_closed_within(10s));
}

TEST_F(ServerTest, LetsAHandlerTakeLongerThanAnyTimeout) {
  options.idle_timeout = options.header_read_timeout = options.body_read_timeout =
      options.write_timeout = 50ms;
  start([](Request& request) {
    std::this_thread::sleep_for(400ms);
    return echo(request);
  });
  RawClient http = client();
  ASSERT_TRUE(http.send(post("slow")));
  const auto response = http.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "slow");
}

TEST_F(ServerTest, CutsAClientThatDoesNotReadItsAnswer) {
  options.write_timeout = 300ms;
  start([](Request& request) {
    Response response = echo(request);
    response.body = Secret(std::size_t{64} * 1024 * 1024);  // more than the sockets hold
    return response;
  });
  RawClient http;
  http.limit_receive_buffer(4096);
  ASSERT_TRUE(http.connect(server->port()));
  ASSERT_TRUE(http.send(post("x")));
  ASSERT_TRUE(eventually([&] { return server->connections() == 1; }));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST_F(ServerTest, LosesNothingButTheConnectionToHalfSentRequests) {
  std::atomic<int> handled = 0;
  start([&](Request& request) {
    ++handled;
    return echo(request);
  });
  const std::string request = post("hello", "X-A: b\r\n");
  for (std::size_t size = 0; size < request.size(); ++size) {
    RawClient http = client();
    ASSERT_TRUE(http.send(request.substr(0, size)));
    if (size % 2 == 0) {
      http.finish_sending();
      EXPECT_TRUE(http.is_closed_within(10s)) << size;
    }
  }
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_EQ(handled, 0);
  EXPECT_TRUE(serves());
}

TEST_F(ServerTest, SurvivesClientsThatResetWhileTheyAreServed) {
  start([](Request& request) {
    std::this_thread::sleep_for(1ms);
    return echo(request);
  });
  for (int i = 0; i < 200; ++i) {
    RawClient http = client();
    ASSERT_TRUE(http.send(post("x") + post("y")));
    const linger reset{1, 0};
    ::setsockopt(http.descriptor(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_TRUE(serves());
}

TEST_F(ServerTest, HoldsAThousandIdleConnectionsAndServesEachAndOthers) {
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(client());
  ASSERT_TRUE(eventually([&] { return server->connections() == 1000; }));
  EXPECT_TRUE(serves());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ASSERT_TRUE(clients[i].send(post(std::to_string(i))));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto response = clients[i].receive();
    ASSERT_TRUE(response) << i;
    EXPECT_EQ(response->body, std::to_string(i));
  }
}

TEST_F(ServerTest, AnswersOverloadAtOnceWhenTheQueueIsFullAndRecovers) {
  options.worker_threads = 1;
  options.queue_limit = 2;
  Gate gate;
  start(gate.handler());
  RawClient running = client();
  ASSERT_TRUE(running.send(post("running")));
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 1; }));
  RawClient queued_one = client();
  RawClient queued_two = client();
  ASSERT_TRUE(queued_one.send(post("one")));
  ASSERT_TRUE(queued_two.send(post("two")));

  ASSERT_TRUE(eventually([&] { return server->waiting() == 2; }));

  RawClient refused = client();
  ASSERT_TRUE(refused.send(post("too many")));
  const auto response = refused.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_EQ(response->body, "overloaded");
  ASSERT_TRUE(refused.send(post("again")));  // and the connection goes on
  EXPECT_EQ(refused.receive()->body, "overloaded");

  gate.open();
  EXPECT_EQ(running.receive()->body, "running");
  EXPECT_EQ(queued_one.receive()->body, "one");
  EXPECT_EQ(queued_two.receive()->body, "two");
  ASSERT_TRUE(refused.send(post("now")));
  EXPECT_EQ(refused.receive()->body, "now");
}

TEST_F(ServerTest, BoundsTheMemoryOfAllBodiesTogether) {
  options.body_limit = 64 * 1024;
  options.total_body_limit = 256 * 1024;
  start();
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n";
  std::vector<RawClient> hoarders;
  for (int i = 0; i < 4; ++i) {
    hoarders.push_back(client());
    ASSERT_TRUE(hoarders.back().send(head + std::string(40'000, 'x')));
  }
  // Their memory is taken once their bytes have been read, which nobody tells us.
  RawClient refused = client();
  ASSERT_TRUE(eventually([&] {
    RawClient trial = client();
    trial.send(head + std::string(65'536, 'x'));
    const auto response = trial.receive();
    return response && response->body == "overloaded" && response->header("Connection") == "close";
  }));
  ASSERT_TRUE(hoarders[0].send(std::string(25'536, 'x')));
  EXPECT_EQ(hoarders[0].receive()->body, std::string(65'536, 'x'));
  hoarders.clear();
  EXPECT_TRUE(eventually([&] {
    RawClient trial = client();
    trial.send(head + std::string(65'536, 'x'));
    const auto response = trial.receive();
    return response && response->status == 200;
  }));
}

TEST_F(ServerTest, ClosesTheOldestIdleConnectionForANewOne) {
  options.io_threads = 1;
  options.max_connections = 3;
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(client());
    ASSERT_TRUE(clients.back().send(post("x")));
    ASSERT_TRUE(clients.back().receive());
  }
  ASSERT_TRUE(clients[0].send(post("x")));  // so that the second is now the oldest
  ASSERT_TRUE(clients[0].receive());
  RawClient late = client();
  ASSERT_TRUE(late.send(post("late")));
  EXPECT_EQ(late.receive()->body, "late");
  EXPECT_TRUE(clients[1].is_closed_within(10s));
  for (const std::size_t kept : {0U, 2U}) {
    ASSERT_TRUE(clients[kept].send(post("kept")));
    EXPECT_EQ(clients[kept].receive()->body, "kept");
  }
}

TEST_F(ServerTest, RefusesANewConnectionWhenNoneIsIdle) {
  options.io_threads = 1;
  options.max_connections = 2;
  Gate gate;
  start(gate.handler());
  RawClient one = client();
  RawClient two = client();
  ASSERT_TRUE(one.send(post("one")));
  ASSERT_TRUE(two.send(post("two")));
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 2; }));
  RawClient refused = client();
  EXPECT_TRUE(refused.is_closed_within(10s));
  gate.open();
  EXPECT_EQ(one.receive()->body, "one");
  EXPECT_EQ(two.receive()->body, "two");
  EXPECT_TRUE(serves());
}

TEST_F(ServerTest, WaitsForDescriptorsToBeFreeAndThenAccepts) {
  start();
  // UBSan opens a pipe when it checks a type for the first time, so that is done before.
  ASSERT_TRUE(serves());
  log::warning("about to run out of descriptors");
  ASSERT_TRUE(eventually([&] { return server->connections() == 0; }));

  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  RawClient waiting;  // has its descriptor already
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next);  // no descriptor below is free
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);

  ASSERT_TRUE(waiting.connect(server->port()));  // by the kernel: into the backlog
  ASSERT_TRUE(waiting.send(post("patient")));
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(server->connections(), 0U);

  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const auto response = waiting.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "patient");
}

}  // namespace
}  // namespace keyhold::http
