// What the server does with requests that a client means well.
#include "http/server.h"

#include <gmock/gmock.h>

#include <atomic>
#include <ctime>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

#include "base/bytes.h"
#include "base/ids.h"
#include "server_fixture.h"

namespace keyhold::http {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST_F(ServerTest, PassesTheRequestAsItCame) {
  std::string method;
  std::string target;
  std::string peer;
  std::vector<std::pair<std::string, std::string>> headers;
  start([&](Request& request) {
    method = request.method;
    target = request.target;
    peer = request.peer_address;
    for (const Header& header : request.headers) headers.emplace_back(header.name, header.value);
    return echo(request);
  });
  RawClient http = client();
  ASSERT_TRUE(
      http.send("PUT /a/../b%2F?x=%20 HTTP/1.1\r\nhOST: localhost:1\r\nX-Two: b\r\n"
                "X-One:a\r\nx-two:  c \r\nContent-Length: 0\r\n\r\n"));
  ASSERT_TRUE(http.receive());
  EXPECT_EQ(method, "PUT");
  EXPECT_EQ(target, "/a/../b%2F?x=%20");
  EXPECT_EQ(peer, "127.0.0.1");
  EXPECT_THAT(headers,
              ElementsAre(Pair("hOST", "localhost:1"), Pair("X-Two", "b"), Pair("X-One", "a"),
                          Pair("x-two", "c"), Pair("Content-Length", "0")));
}

TEST_F(ServerTest, PassesBodiesByteByByteBothWays) {
  start();
  RawClient http = client();
  for (const std::size_t size : {0U, 1U, 255U, 4095U, 4096U, 4097U, 70'000U, 1024U * 1024U}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>((i * 131) ^ (i >> 8));
    ASSERT_TRUE(http.send(post(body))) << size;
    const auto response = http.receive();
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->status, 200);
    EXPECT_TRUE(response->body == body) << size;
  }
}

TEST_F(ServerTest, AnswersWithTheFieldsOfEveryAnswer) {
  start([](Request& request) {
    Response response = echo(request);
    response.status = 404;
    response.content_type = "application/x-amz-json-1.1";
    response.headers = {{"X-Extra", "more"}};
    return response;
  });
  RawClient http = client();
  const std::time_t before = std::time(nullptr);
  ASSERT_TRUE(http.send(post("")));
  const auto response = http.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status_line, "HTTP/1.1 404 Not Found");
  EXPECT_EQ(response->header("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(response->header("Content-Length"), "0");
  EXPECT_EQ(response->header("Cache-Control"), "no-cache, no-store, must-revalidate, private");
  EXPECT_EQ(response->header("Expires"), "0");
  EXPECT_EQ(response->header("Pragma"), "no-cache");
  EXPECT_EQ(response->header("X-Extra"), "more");
  EXPECT_FALSE(response->header("Connection"));
  EXPECT_FALSE(response->header("Transfer-Encoding"));

  const auto date = response->header("Date");
  ASSERT_TRUE(date);
  std::tm parsed{};
  ASSERT_NE(strptime(date->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parsed), nullptr);
  const std::time_t told = timegm(&parsed);
  EXPECT_GE(told, before);
  EXPECT_LE(told, std::time(nullptr));
}

TEST_F(ServerTest, GivesEachRequestItsOwnIdAndTellsIt) {
  std::string seen;
  start([&](Request& request) {
    seen = request.request_id;
    return echo(request);
  });
  std::set<std::string> ids;
  RawClient http = client();
  for (int i = 0; i < 600; ++i) {  // more than one refill of the buffered randomness
    ASSERT_TRUE(http.send(post("")));
    const auto response = http.receive();
    ASSERT_TRUE(response);
    const auto id = response->header("x-amzn-RequestId");
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, seen);
    EXPECT_TRUE(is_uuid(*id));
    EXPECT_EQ(id->find_first_of("ABCDEF"), std::string::npos);
    EXPECT_TRUE(ids.insert(*id).second);
  }
}

TEST_F(ServerTest, KeepsAnHttp11ConnectionUntilTheClientClosesIt) {
  start();
  RawClient http = client();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(http.send(post(std::to_string(i))));
    const auto response = http.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, std::to_string(i));
  }
  EXPECT_EQ(server->connections(), 1U);
  http.finish_sending();
  EXPECT_TRUE(http.is_closed_within(std::chrono::seconds(10)));
}

TEST_F(ServerTest, ClosesWhenTheClientSaysSo) {
  start();
  RawClient http = client();
  ASSERT_TRUE(http.send(post("bye", "Connection: close\r\n")));
  const auto response = http.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "bye");
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(http.is_closed_within(std::chrono::seconds(10)));
}

TEST_F(ServerTest, ServesHttp10) {
  start();
  RawClient once = client();
  ASSERT_TRUE(once.send("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"));
  auto response = once.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "hi");
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(once.is_closed_within(std::chrono::seconds(10)));

  RawClient kept = client();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        kept.send("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"));
    response = kept.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->header("Connection"), "keep-alive");
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  options.worker_threads = 8;
  start([](Request& request) {
    // The earlier ones take longer.
    const int number = std::stoi(std::string(as_text(request.body)));
    std::this_thread::sleep_for(std::chrono::milliseconds(number < 5 ? 20 : 0));
    return echo(request);
  });
  RawClient http = client();
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += post(std::to_string(i));
  ASSERT_TRUE(http.send(requests));
  for (int i = 0; i < 200; ++i) {
    const auto response = http.receive();
    ASSERT_TRUE(response) << i;
    EXPECT_EQ(response->body, std::to_string(i));
  }
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  start();
  RawClient http = client();
  ASSERT_TRUE(http.send(post("one") + post("two")));
  http.finish_sending();
  EXPECT_EQ(http.receive()->body, "one");
  EXPECT_EQ(http.receive()->body, "two");
  EXPECT_TRUE(http.is_closed_within(std::chrono::seconds(10)));
}

TEST_F(ServerTest, TakesChunkedBodies) {
  start();
  RawClient http = client();
  ASSERT_TRUE(
      http.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "4\r\nWiki\r\n6;x=y\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n"
                "X-Trailer: t\r\n\r\n" +
                post("next")));
  EXPECT_EQ(http.receive()->body, "Wikipedia in \r\n\r\nchunks.");
  EXPECT_EQ(http.receive()->body, "next");
}

TEST_F(ServerTest, AsksForABodyThatWaitsToBeAskedFor) {
  start();
  RawClient http = client();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        http.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                  "Expect: 100-Continue\r\n\r\n"));
    const auto go_on = http.receive();
    ASSERT_TRUE(go_on);
    EXPECT_EQ(go_on->status, 100);
    ASSERT_TRUE(http.send("hello"));
    const auto response = http.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "hello");
  }
}

// RFC 9110 section 10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already
// received some or all of the content for the corresponding request"
TEST_F(ServerTest, DoesNotAskForABodyThatIsThereOrThatIsRefused) {
  start();
  RawClient there = client();
  ASSERT_TRUE(there.send(post("hello", "Expect: 100-continue\r\n")));
  EXPECT_EQ(there.receive()->status, 200);

  RawClient none = client();
  ASSERT_TRUE(none.send(post("", "Expect: 100-continue\r\n")));
  EXPECT_EQ(none.receive()->status, 200);

  RawClient too_large = client();
  ASSERT_TRUE(
      too_large.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n"
                     "Expect: 100-continue\r\n\r\n"));
  EXPECT_EQ(too_large.receive()->status, 413);

  RawClient old = client();
  ASSERT_TRUE(old.send("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(old.send("hi"));
  EXPECT_EQ(old.receive()->status, 200);
}

TEST_F(ServerTest, AnswersHeadWithoutTheBodyButWithItsLength) {
  start([](Request& request) {
    Response response = echo(request);
    response.body = Secret(std::string_view("twelve bytes"));
    return response;
  });
  RawClient http = client();
  ASSERT_TRUE(http.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + post("")));
  const auto head = http.receive(RawClient::Body::kNone);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->header("Content-Length"), "12");
  EXPECT_EQ(http.receive()->body, "twelve bytes");
}

TEST_F(ServerTest, TurnsAThrowingHandlerIntoAnInternalErrorAndGoesOn) {
  start([](Request& request) -> Response {
    const std::string_view body = as_text(request.body);
    if (body == "throw") throw std::runtime_error("a bug");
    if (body == "throw a value") throw 42;  // NOLINT(hicpp-exception-baseclass)
    Response response = echo(request);
    if (body == "split") response.headers = {{"X-A", "1\r\nX-B: 2"}};
    if (body == "own") response.headers = {{"Content-Length", "7"}};
    if (body == "status") response.status = 42;
    return response;
  });
  RawClient http = client();
  for (const char* bug : {"throw", "throw a value", "split", "own", "status"}) {
    ASSERT_TRUE(http.send(post(bug))) << bug;
    const auto response = http.receive();
    ASSERT_TRUE(response) << bug;
    EXPECT_EQ(response->status, 500) << bug;
    EXPECT_EQ(response->body, body_of(ProtocolError::kInternal)) << bug;
    ASSERT_TRUE(http.send(post("well"))) << bug;
    EXPECT_EQ(http.receive()->body, "well") << bug;
  }
}

TEST_F(ServerTest, AnswersWithTheBareStatusWhenTheRendererFails) {
  auto started = Server::start(
      options, [](Request&) -> Response { throw std::runtime_error("a bug"); }, overloaded,
      [](ProtocolError) -> Response { throw std::runtime_error("another bug"); });
  ASSERT_TRUE(started.has_value());
  server = std::move(*started);
  RawClient http = client();
  ASSERT_TRUE(http.send(post("")));
  const auto response = http.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "");
  ASSERT_TRUE(http.send("nonsense\r\n\r\n"));
  EXPECT_EQ(http.receive()->status, 400);
}

TEST_F(ServerTest, ServesManyClientsAtOnce) {
  options.io_threads = 3;
  start();
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int c = 0; c < 8; ++c) {
    threads.emplace_back([&, c] {
      RawClient http = client();
      for (int i = 0; i < 100; ++i) {
        const std::string body = std::to_string(c) + "/" + std::to_string(i);
        if (!http.send(post(body))) return;
        const auto response = http.receive();
        if (response && response->body == body) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

TEST_F(ServerTest, DealsConnectionsOutOneByOne) {
  options.io_threads = 2;
  options.queue_limit = 1;
  options.worker_threads = 1;
  // The overload answer is made on the io thread, so it can tell which one that is.
  std::mutex mutex;
  std::map<std::thread::id, int> connections;
  Gate gate;
  auto started = Server::start(
      options, gate.handler(),
      [&](Request& request) {
        const std::lock_guard lock(mutex);
        ++connections[std::this_thread::get_id()];
        return overloaded(request);
      },
      protocol_error);
  ASSERT_TRUE(started.has_value());
  server = std::move(*started);
  std::vector<RawClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(client());
    ASSERT_TRUE(clients.back().send(post("x")));
    // The first runs, the second waits, and the rest are told at once that there is no room.
    if (i == 0) {
      ASSERT_TRUE(eventually([&] { return gate.came_in() == 1; }));
    }
    if (i == 1) {
      ASSERT_TRUE(eventually([&] { return server->waiting() == 1; }));
    }
    if (i >= 2) {
      ASSERT_TRUE(clients.back().receive());
    }
  }
  gate.open();
  const std::lock_guard lock(mutex);
  ASSERT_EQ(connections.size(), 2U);
  for (const auto& [thread, count] : connections) EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace keyhold::http
