// Where requests are worked on: in place, by workers, and heavy ones by workers of their own.
#include <gmock/gmock.h>

#include <pthread.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "server_fixture.h"

namespace keyhold::http {
namespace {

using namespace std::chrono_literals;
using testing::StartsWith;

Weight by_body(const Request& request) {
  return as_text(request.body).starts_with("heavy") ? Weight::kHeavy : Weight::kLight;
}

/// The name of the thread that answers.
Response thread_name(Request& /*request*/) {
  char name[32] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  Response response;
  response.body = Secret(std::string_view(name));
  return response;
}

class ServerWeight : public ServerTest {
 protected:
  ServerWeight() { options.weigh = by_body; }

  std::string ask(std::string_view body) {
    RawClient http = client();
    http.send(post(body));
    const auto response = http.receive();
    return response ? response->body : "no answer";
  }
};

TEST_F(ServerWeight, LightWorkIsDoneWhereTheOptionsSay) {
  options.light_work = LightWork::kInPlace;
  start(thread_name);
  EXPECT_THAT(ask("light"), StartsWith("http-io-"));
  EXPECT_THAT(ask("heavy"), StartsWith("heavy-"));
  server.reset();

  options.light_work = LightWork::kInPool;
  start(thread_name);
  EXPECT_THAT(ask("light"), StartsWith("worker-"));
  EXPECT_THAT(ask("heavy"), StartsWith("heavy-"));
}

TEST_F(ServerWeight, HeavyWorkThatHangsLeavesTheLightOneAlone) {
  options.heavy_worker_threads = 2;
  options.worker_threads = 1;
  Gate gate;
  start([handler = gate.handler()](Request& request) {
    return by_body(request) == Weight::kHeavy ? handler(request) : echo(request);
  });
  std::vector<RawClient> stuck;
  for (int i = 0; i < 8; ++i) {
    stuck.push_back(client());
    stuck.back().send(post("heavy"));
  }
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 2 && server->waiting() == 6; }));
  EXPECT_EQ(ask("light"), "light");
  gate.open();
  for (RawClient& http : stuck) EXPECT_TRUE(http.receive());
}

TEST_F(ServerWeight, AQueueFullOfHeavyWorkIsToldSoAtOnce) {
  options.heavy_worker_threads = 1;
  options.queue_limit = 1;
  Gate gate;
  start([handler = gate.handler()](Request& request) {
    return by_body(request) == Weight::kHeavy ? handler(request) : echo(request);
  });
  RawClient working = client();
  working.send(post("heavy"));
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 1; }));
  RawClient waiting = client();
  waiting.send(post("heavy"));
  ASSERT_TRUE(eventually([&] { return server->waiting() == 1; }));
  EXPECT_EQ(ask("heavy"), "overloaded");
  EXPECT_EQ(ask("light"), "light");
  gate.open();
}

TEST_F(ServerWeight, LightWorkThatTurnsOutSlowGoesToTheWorkersUntilItIsQuickAgain) {
  options.light_work = LightWork::kInPlace;
  options.io_threads = 1;
  start([](Request& request) {
    if (as_text(request.body) == "slow") std::this_thread::sleep_for(100ms);
    return thread_name(request);
  });
  EXPECT_THAT(ask("quick"), StartsWith("http-io-"));
  EXPECT_THAT(ask("slow"), StartsWith("http-io-"));
  EXPECT_THAT(ask("quick"), StartsWith("worker-"));
  EXPECT_TRUE(eventually([&] { return ask("quick").starts_with("http-io-"); }));
}

TEST_F(ServerWeight, RequestsInPlaceThatCameTogetherAreAnsweredInOrder) {
  options.light_work = LightWork::kInPlace;
  start();
  RawClient http = client();
  std::string together;
  for (int i = 0; i < 50; ++i) together += post("light " + std::to_string(i));
  http.send(together);
  for (int i = 0; i < 50; ++i) {
    const auto response = http.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "light " + std::to_string(i));
  }
}

TEST_F(ServerWeight, WorkInPlaceThatHangsKeepsNoNewConnectionWaiting) {
  options.light_work = LightWork::kInPlace;
  options.io_threads = 2;
  Gate gate;
  start([hangs = gate.handler()](Request& request) {
    return request.body.size() == 1 ? hangs(request) : echo(request);
  });
  RawClient hung = client();
  ASSERT_TRUE(hung.send(post("x")));
  ASSERT_TRUE(eventually([&] { return gate.came_in() == 1; }));
  std::this_thread::sleep_for(200ms);
  for (int i = 0; i < 8; ++i) {
    RawClient http = client();
    ASSERT_TRUE(http.send(post("well")));
    const auto response = http.receive();
    ASSERT_TRUE(response) << "connection " << i;
    EXPECT_EQ(response->body, "well");
  }
  gate.open();
  EXPECT_TRUE(hung.receive());
}

}  // namespace
}  // namespace keyhold::http
