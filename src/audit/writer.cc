#include "audit/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace keyhold::audit {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;  // handed to one write(2), more or less

std::string reason(int error) { return std::generic_category().message(error); }

Error not_opened(const std::filesystem::path& path, std::string_view why) {
  return Error(ErrorCode::kKmsInternal,
               "Cannot open " + path.string() + ": " + std::string(why) + ".");
}

Error not_written(std::string_view why) {
  return Error(ErrorCode::kKmsInternal, "The audit record could not be written.", std::string(why));
}

/// Makes what is missing of a path, and each made folder's name durable in its parent.
int make_folders(const std::filesystem::path& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) == 0) return 0;
  const std::filesystem::path parent =
      path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
  if (parent != path) {
    if (const int error = make_folders(parent)) return error;
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno;
  const int folder =
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  return error;
}

}  // namespace

/// The file itself. Every function returns an errno, 0 for success.
class Writer::File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Cuts off what follows the last line end. `cut` is set to the number of bytes.
  int cut_torn_line(off_t& cut) {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return errno;
    off_t end = status.st_size;
    char bytes[4096];
    while (end > 0) {
      const auto size = static_cast<std::size_t>(std::min<off_t>(end, sizeof bytes));
      const ssize_t got = ::pread(descriptor_, bytes, size, end - static_cast<off_t>(size));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno;
      if (static_cast<std::size_t>(got) != size) return EIO;
      const std::size_t newline = std::string_view(bytes, size).rfind('\n');
      if (newline != std::string_view::npos) {
        end -= static_cast<off_t>(size - newline - 1);
        break;
      }
      end -= static_cast<off_t>(size);
    }
    cut = status.st_size - end;
    durable_size_ = end;
    return cut == 0 ? 0 : cut_back();
  }

  /// Appends the lines and syncs them. On failure, none of them stays if the disk allows it.
  int write(const std::vector<Line>& lines) {
    if (dirty_) {
      if (const int error = cut_back()) return error;
    }
    dirty_ = true;
    off_t size = durable_size_;
    buffer_.clear();
    for (const Line& line : lines) {
      buffer_ += line.text;
      buffer_ += '\n';
      if (buffer_.size() < kChunk) continue;
      if (const int error = write_buffer(size)) return failed(error);
    }
    if (const int error = write_buffer(size)) return failed(error);
    if (::fdatasync(descriptor_) != 0) return failed(errno);
    durable_size_ = size;
    dirty_ = false;
    return 0;
  }

 private:
  int write_buffer(off_t& size) {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t wrote = ::write(descriptor_, rest.data(), rest.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno;
      size += wrote;
      rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
    buffer_.clear();
    return 0;
  }

  int failed(int error) {
    cut_back();  // tried again before the next write if it fails
    return error;
  }

  /// After a failed sync the kernel calls pages clean that are not on the disk, so nothing beyond
  /// the last durable line is relied on: it goes and is written anew.
  int cut_back() {
    dirty_ = true;
    if (::ftruncate(descriptor_, durable_size_) != 0) return errno;
    if (::fsync(descriptor_) != 0) return errno;
    dirty_ = false;
    return 0;
  }

  int descriptor_;
  off_t durable_size_ = 0;
  bool dirty_ = false;  ///< there may be something beyond durable_size_
  std::string buffer_;
};

Result<std::unique_ptr<Writer>> Writer::open(Options options) {
  const std::filesystem::path path = options.directory / options.file_name;
  if (const int error = make_folders(options.directory)) return not_opened(path, reason(error));
  const int folder = ::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return not_opened(path, reason(errno));
  const int descriptor =
      ::openat(folder, options.file_name.c_str(),
               O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  const int open_error = errno;
  const int sync_error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  if (descriptor < 0) return not_opened(path, reason(open_error));
  auto file = std::make_unique<File>(descriptor);
  if (sync_error != 0) return not_opened(path, reason(sync_error));

  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return not_opened(path, reason(errno));
  if (!S_ISREG(status.st_mode)) return not_opened(path, "it is not a regular file");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return not_opened(path, errno == EWOULDBLOCK ? "another process writes to it" : reason(errno));
  }
  if (::fchmod(descriptor, 0600) != 0) return not_opened(path, reason(errno));
  off_t cut = 0;
  if (const int error = file->cut_torn_line(cut)) return not_opened(path, reason(error));
  if (cut != 0) {
    log::warning("audit: cut an unfinished line of " + std::to_string(cut) + " bytes off " +
                 path.string());
  }
  return std::unique_ptr<Writer>(new Writer(std::move(options), path, std::move(file)));
}

Writer::Writer(Options options, std::filesystem::path path, std::unique_ptr<File> file)
    : options_(std::move(options)),
      path_(std::move(path)),
      file_(std::move(file)),
      next_(std::make_shared<Group>()),
      flusher_([this] { flush_groups(); }) {}

Writer::~Writer() { static_cast<void>(close()); }

Result<void> Writer::append(std::string line, Durability durability) {
  if (line.find('\n') != std::string::npos)
    throw std::invalid_argument("an audit record holds a line end");
  const std::size_t size = line.size() + 1;
  std::unique_lock lock(mutex_);
  if (closing_) return not_written("the writer is closed");
  if (size > options_.max_queued_bytes - queued_bytes_) return not_written("the queue is full");
  queued_bytes_ += size;
  const bool first = next_->lines.empty();
  next_->lines.push_back({std::move(line), durability});
  if (durability == Durability::kLater) {
    // Any other line finds the flusher waiting for company already, or at work.
    if (first || must_write()) wake_.notify_one();
    return {};
  }
  const std::shared_ptr<Group> group = next_;
  if (!urgent_) {
    urgent_ = true;
    wake_.notify_one();
  }
  group->decided.wait(lock, [&] { return group->outcome != Outcome::kPending; });
  if (group->outcome == Outcome::kFailed) return not_written("see the log");
  return {};
}

bool Writer::must_write() const {
  const bool crowded = !failing_ && queued_bytes_ > options_.max_queued_bytes / 2;
  return urgent_ || closing_ || crowded;
}

void Writer::flush_groups() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return closing_ || !next_->lines.empty(); });
    if (next_->lines.empty()) return;
    wake_.wait_for(lock, failing_ ? options_.retry_after : options_.later_within,
                   [&] { return must_write(); });
    const std::shared_ptr<Group> group = std::exchange(next_, std::make_shared<Group>());
    urgent_ = false;
    const LastTry last = closing_ ? LastTry::kYes : LastTry::kNo;
    lock.unlock();
    const int error = file_->write(group->lines);
    lock.lock();
    if (error != 0 && !failing_)
      log::error("audit: cannot write to " + path_.string() + ": " + reason(error));
    if (error == 0 && failing_) log::info("audit: " + path_.string() + " takes records again");
    failing_ = error != 0;
    settle(*group, error == 0 ? Outcome::kDurable : Outcome::kFailed, last);
  }
}

void Writer::settle(Group& group, Outcome outcome, LastTry last) {
  group.outcome = outcome;
  group.decided.notify_all();
  std::vector<Line> kept;
  for (Line& line : group.lines) {
    if (outcome == Outcome::kFailed && line.durability == Durability::kLater) {
      if (last == LastTry::kNo) {
        kept.push_back(std::move(line));
        continue;
      }
      ++lost_lines_;
    }
    queued_bytes_ -= line.text.size() + 1;
  }
  if (kept.empty()) return;
  // The lines that came in the meantime follow those that waited longer.
  for (Line& line : next_->lines) kept.push_back(std::move(line));
  next_->lines = std::move(kept);
}

Result<void> Writer::close() {
  const std::lock_guard closing(close_mutex_);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    wake_.notify_one();
  }
  if (flusher_.joinable()) {
    flusher_.join();
    if (lost_lines_ != 0) {
      log::error("audit: records lost because " + path_.string() +
                 " does not take them: " + std::to_string(lost_lines_));
    }
  }
  if (lost_lines_ != 0) return not_written("records lost: " + std::to_string(lost_lines_));
  return {};
}

}  // namespace keyhold::audit
