// Runs a piece of a test in a process of its own: one that may lose its rights, mount, or be
// killed.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

namespace keyhold::testing {

/// What a child says in place of failing where the machine does not allow its test.
inline constexpr int kSkipped = 77;

/// Runs `body`, with its expectations, in a forked child. The exit status: 0 if all held.
inline int run_in_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    // No destructors and no leak check of what the parent owns.
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Leaves a child whose test the machine does not allow.
[[noreturn]] inline void skip_in_child() { ::_exit(kSkipped); }

}  // namespace keyhold::testing
