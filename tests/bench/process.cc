#include "process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace keyhold::bench {

Process::Process(const std::vector<std::string>& arguments, const std::string& ready,
                 const Environment& environment) {
  const auto start = std::chrono::steady_clock::now();
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), 0) != 0) throw std::runtime_error("no pipe");
  id_ = ::fork();
  if (id_ == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::close(pipe[0]);
    ::close(pipe[1]);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  out_ = pipe[0];
  std::array<char, 4096> bytes;
  const std::string wanted = "\n" + ready;
  output_ = "\n";
  for (;;) {
    const ssize_t count = ::read(out_, bytes.data(), bytes.size());
    if (count <= 0) throw std::runtime_error(arguments.front() + " ended:" + output_);
    output_.append(bytes.data(), static_cast<std::size_t>(count));
    const std::size_t at = output_.find(wanted);
    if (at != std::string::npos && output_.find('\n', at + 1) != std::string::npos) break;
  }
  start_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Process::~Process() {
  ::kill(id_, SIGTERM);
  int status = 0;
  ::waitpid(id_, &status, 0);
  ::close(out_);
}

double Process::cpu_seconds() const {
  double nanoseconds = 0;
  const std::filesystem::path tasks = "/proc/" + std::to_string(id_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "schedstat");
    double on_cpu = 0;
    file >> on_cpu;
    nanoseconds += on_cpu;
  }
  return nanoseconds * 1e-9;
}

std::uint64_t Process::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(id_) + "/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace keyhold::bench
