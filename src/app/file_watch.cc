#include "app/file_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace keyhold::app {
namespace {

Error failed(const std::string& what) {
  return Error(ErrorCode::kValidation, what + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::start(const std::filesystem::path& file,
                                                    std::function<void()> changed) {
  const auto folder = std::filesystem::absolute(file).parent_path();
  const int events = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (events < 0) return failed("cannot watch files");
  constexpr std::uint32_t kChanges =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
  int stop[2];
  if (::inotify_add_watch(events, folder.c_str(), kChanges) < 0 || ::pipe2(stop, O_CLOEXEC) != 0) {
    auto error = failed("cannot watch " + folder.string());
    ::close(events);
    return error;
  }
  return std::unique_ptr<FileWatch>(new FileWatch(events, stop[0], stop[1], std::move(changed)));
}

FileWatch::FileWatch(int events, int stop_reader, int stop_writer, std::function<void()> changed)
    : events_(events),
      stop_reader_(stop_reader),
      stop_writer_(stop_writer),
      changed_(std::move(changed)),
      thread_([this] { watch(); }) {}

FileWatch::~FileWatch() {
  ::close(stop_writer_);
  thread_.join();
  ::close(stop_reader_);
  ::close(events_);
}

void FileWatch::watch() {
  while (true) {
    pollfd waiting[2] = {{events_, POLLIN, 0}, {stop_reader_, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    if ((waiting[0].revents & POLLIN) == 0) continue;
    alignas(inotify_event) char buffer[4096];
    while (::read(events_, buffer, sizeof buffer) > 0) {
    }
    changed_();
  }
}

}  // namespace keyhold::app
