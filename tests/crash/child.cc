#include "tests/crash/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace keyhold::crash {
namespace {

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

}  // namespace

void Notes::write(std::string_view word, std::string_view value) const {
  std::string line(word);
  line.append(" ").append(value).append("\n");
  const int file = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), line.size()) < 0) std::abort();
  ::close(file);
}

std::vector<std::string> Notes::all(std::string_view word) const {
  std::vector<std::string> values;
  std::ifstream file(path_);
  std::string read;
  std::string value;
  while (file >> read >> value) {
    if (read == word) values.push_back(value);
  }
  return values;
}

std::string Notes::one(std::string_view word) const {
  const auto values = all(word);
  return values.empty() ? std::string() : values.back();
}

void Executioner::install(std::initializer_list<kms::testing::Hook*> hooks) {
  for (auto* hook : hooks) {
    hook->before = [this](std::string_view) -> Result<void> {
      if (armed_ && ++steps_ == step_ && moment_ == Moment::kBefore) die();
      return {};
    };
    hook->after = [this](std::string_view) {
      if (armed_ && steps_ == step_ && moment_ == Moment::kAfter) die();
    };
  }
}

// By posix_spawn, which is no fork that a module could be confused by.
Fate run_child(const std::string& folder, const std::string& operation, Moment moment, int step,
               const std::string& at) {
  std::vector<std::string> words{"/proc/self/exe",
                                 "--child",
                                 folder,
                                 operation,
                                 moment == Moment::kBefore ? "before" : "after",
                                 std::to_string(step),
                                 at};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0) {
    ADD_FAILURE() << "no child";
    return Fate::kLived;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return Fate::kDied;
  // The fault module ends a process as a shell would report a SIGKILL.
  if (WIFEXITED(status) && WEXITSTATUS(status) == 137) return Fate::kDied;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "the child ended with status " << status;
  return Fate::kLived;
}

}  // namespace keyhold::crash
