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
constexpr std::size_t kPiece = std::size_t{64} << 10;   // of lines that a disk did not take at once

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
  int write(std::string_view lines, std::size_t preallocated) {
    if (dirty_) {
      if (const int error = cut_back()) return error;
    }
    dirty_ = true;
    reserve_space(durable_size_ + static_cast<off_t>(lines.size()), preallocated);
    std::string_view rest = lines;
    while (!rest.empty()) {
      const ssize_t wrote = ::write(descriptor_, rest.data(), std::min(rest.size(), kChunk));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return failed(errno);
      rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (::fdatasync(descriptor_) != 0) return failed(errno);
    durable_size_ += static_cast<off_t>(lines.size());
    dirty_ = false;
    return 0;
  }

 private:
  /// A file system that cannot do it, or has no room, is written to without.
  void reserve_space(off_t needed, std::size_t step) {
    if (step == 0 || needed <= reserved_size_) return;
    reserved_size_ = needed + static_cast<off_t>(step);
    static_cast<void>(::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, durable_size_,
                                  reserved_size_ - durable_size_));
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
    reserved_size_ = 0;
    if (::fsync(descriptor_) != 0) return errno;
    dirty_ = false;
    return 0;
  }

  int descriptor_;
  off_t durable_size_ = 0;
  off_t reserved_size_ = 0;  ///< how far space was asked for; no matter whether it was given
  bool dirty_ = false;       ///< there may be something beyond durable_size_
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

Result<void> Writer::append(std::string_view line, Durability durability) {
  if (line.find('\n') != std::string_view::npos)
    throw std::invalid_argument("an audit record holds a line end");
  return durability == Durability::kLater ? append_later(line) : append_now(line);
}

bool Writer::reserve(std::size_t bytes) {
  if (queued_bytes_.fetch_add(bytes) + bytes <= options_.max_queued_bytes) return true;
  queued_bytes_ -= bytes;
  return false;
}

Result<void> Writer::append_later(std::string_view line) {
  {
    Queue& queue = queues_.here();
    const std::lock_guard lock(queue.mutex);
    if (closed_) return not_written("the writer is closed");
    if (refuses()) return not_written("the disk takes no records");
    if (!reserve(line.size() + 1)) return not_written("the queue is full");
    queue.text.append(line).push_back('\n');
  }
  // Most lines find the flusher waiting for company already, or at work.
  const bool first = !later_queued_.load() && !later_queued_.exchange(true);
  const bool too_many = crowded() && !failing_;
  if (!first && !too_many) return {};
  const std::lock_guard lock(mutex_);
  wake_.notify_one();
  return {};
}

Result<void> Writer::append_now(std::string_view line) {
  std::unique_lock lock(mutex_);
  if (closing_) return not_written("the writer is closed");
  if (!reserve(line.size() + 1)) return not_written("the queue is full");
  const std::shared_ptr<Group> group = next_;
  if (group->text.empty()) wake_.notify_one();
  group->text.append(line).push_back('\n');
  group->decided.wait(lock, [&] { return group->outcome != Outcome::kPending; });
  if (group->outcome == Outcome::kFailed) return not_written("see the log");
  return {};
}

bool Writer::must_write() const {
  return !next_->text.empty() || closing_ || (!failing_ && crowded());
}

void Writer::collect_later() {
  // Before the queues: a line that comes after this one was looked at wakes the flusher again.
  later_queued_ = false;
  queues_.for_each([this](Queue& queue) {
    const std::lock_guard lock(queue.mutex);
    collected_ += queue.text;
    queue.text.clear();
  });
}

bool Writer::refuses() const {
  return failing_ &&
         std::chrono::steady_clock::now() - failing_since_.load() >= options_.refuse_after;
}

int Writer::write_collected() {
  // Where everything at once failed there may be room for some of it.
  const std::size_t most = failing_ ? kPiece : collected_.size();
  std::string_view rest = collected_;
  int error = 0;
  while (!rest.empty()) {
    std::size_t size = std::min(most, rest.size());
    size = rest.find('\n', size - 1) + 1;
    error = file_->write(rest.substr(0, size), options_.preallocated_bytes);
    if (error != 0) break;
    rest.remove_prefix(size);
  }
  queued_bytes_ -= collected_.size() - rest.size();
  collected_.erase(0, collected_.size() - rest.size());
  return error;
}

int Writer::write_lines(const Group& group) {
  if (failing_ || group.text.empty()) {
    if (const int error = write_collected()) return error;
    return group.text.empty() ? 0 : file_->write(group.text, options_.preallocated_bytes);
  }
  const std::size_t collected = collected_.size();
  collected_ += group.text;
  const int error = file_->write(collected_, options_.preallocated_bytes);
  if (error != 0) {
    collected_.resize(collected);
    return error;
  }
  queued_bytes_ -= collected;
  collected_.clear();
  return 0;
}

void Writer::note_outcome(int error, bool anything) {
  if (error != 0 && !failing_) {
    log::error("audit: cannot write to " + path_.string() + ": " + reason(error));
    failing_since_ = std::chrono::steady_clock::now();
  }
  // Without anything to write, the next line finds out.
  if (error == 0 && failing_ && anything)
    log::info("audit: " + path_.string() + " takes records again");
  failing_ = error != 0;
}

void Writer::flush_groups() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    wake_.wait(lock,
               [&] { return must_write() || later_queued_ || !collected_.empty() || failing_; });
    wake_.wait_for(lock, failing_ ? options_.retry_after : options_.later_within,
                   [&] { return must_write(); });
    const std::shared_ptr<Group> group = std::exchange(next_, std::make_shared<Group>());
    last = closing_;
    lock.unlock();
    // Who appends holds its queue, or makes it known, under a lock that collecting takes, too: so
    // its line is either collected or refused.
    if (last) closed_ = true;
    collect_later();
    const bool anything = !collected_.empty() || !group->text.empty();
    const int error = write_lines(*group);
    note_outcome(error, anything);
    // Lines that somebody waited for are settled either way; the others stay for the next try.
    queued_bytes_ -= group->text.size();
    if (last && error != 0) {
      lost_lines_ =
          static_cast<std::size_t>(std::count(collected_.begin(), collected_.end(), '\n'));
      queued_bytes_ -= collected_.size();
      collected_.clear();
    }
    lock.lock();
    group->outcome = error == 0 ? Outcome::kDurable : Outcome::kFailed;
    group->decided.notify_all();
  }
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
