// What systemd would hear, on a socket as it has one (sd_notify(3)).
#include "app/supervisor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace keyhold::app {
namespace {

class Listener {
 public:
  /// `name`: a path, or with a leading @ one of the abstract name space.
  explicit Listener(const std::string& name) : path_(name) {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  ~Listener() {
    ::close(socket_);
    if (path_.front() != '@') ::unlink(path_.c_str());
  }
  std::string hear() const {
    char text[256];
    const auto got = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return got < 0 ? "" : std::string(text, static_cast<std::size_t>(got));
  }

 private:
  const std::string path_;
  int socket_ = -1;
};

TEST(Supervisors, HearOfTheService) {
  for (const std::string& name : {::testing::TempDir() + "/notify",
                                  std::string("@keyhold-test") + std::to_string(::getpid())}) {
    const Listener listener(name);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const Supervisor supervisor;
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);  // no child's
    EXPECT_EQ(supervisor.supervised(), Supervised::kYes);
    EXPECT_EQ(supervisor.watchdog_interval(), std::chrono::milliseconds(1500));
    supervisor.notify("READY=1");
    EXPECT_EQ(listener.hear(), "READY=1");
  }
}

TEST(Supervisors, ThatAreNotThereHearNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);  // meant for another process
  const Supervisor supervisor;
  EXPECT_EQ(supervisor.supervised(), Supervised::kNo);
  EXPECT_FALSE(supervisor.watchdog_interval());
  supervisor.notify("READY=1");
}

}  // namespace
}  // namespace keyhold::app
