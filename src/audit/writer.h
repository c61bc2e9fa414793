// A file of JSON lines that many threads append to and one thread makes durable.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/per_thread.h"
#include "base/result.h"

namespace keyhold::audit {

enum class Durability : std::uint8_t {
  kBeforeReturn,  ///< append() returns when the line is on the disk
  kLater,         ///< append() returns at once; the line is on the disk soon after
};

/// Group commit: lines that arrive while a group is written and synced form the next group, so one
/// fdatasync(2) serves all threads that wait. A thread's lines reach the file in the order in which
/// it appended them, and a kBeforeReturn line comes after every line appended before it. kLater
/// lines lie with the thread that appended them until the next group, so that threads which append
/// nothing else share no lock.
///
/// When the disk does not take a group, the file is cut back to its last durable line, the waiting
/// callers get an error and may be sure that their lines are not in the file, and the kLater lines
/// stay queued for the next try: at the next kBeforeReturn line, or after Options::retry_after, in
/// pieces, so that room for some of them is used. While that has failed for longer than
/// Options::refuse_after, append() fails for kLater lines as well.
/// Should the disk fail the cutting too, a line whose caller got an error may stay in the file.
class Writer {
 public:
  struct Options {
    /// Made with mode 0700 if it is absent, as are its parents.
    std::filesystem::path directory;
    /// Made with mode 0600; an existing file gets that mode.
    std::string file_name = "audit.jsonl";
    /// Bound of the bytes queued and being written; append() fails beyond it.
    std::size_t max_queued_bytes = std::size_t{64} << 20;
    /// How long a kLater line waits for company before it is written: what a power cut may take.
    std::chrono::milliseconds later_within{50};
    /// Space the disk is asked for ahead of the lines, in one piece, so that writing them seldom
    /// has to find some. The file's size tells of its lines alone. 0: none.
    std::size_t preallocated_bytes = std::size_t{16} << 20;
    std::chrono::milliseconds retry_after{1000};
    std::chrono::milliseconds refuse_after{1000};
  };

  /// Opens the file to append to it. A line that a crash left without its end is cut off.
  /// kKmsInternal with a sentence for the operator if the folder or file cannot be had, or if
  /// another writer has the file.
  static Result<std::unique_ptr<Writer>> open(Options options);

  ~Writer();  ///< as close(), with the outcome in the log alone
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Hands in one line, without a line end in it (that would be a bug: std::invalid_argument).
  /// kKmsInternal if it could not be made durable, if the queue is full, if the disk has
  /// taken no lines for Options::refuse_after, or after close().
  Result<void> append(std::string_view line, Durability durability);

  /// Writes what is queued and ends the writer. kKmsInternal if lines were lost. Again: the same
  /// outcome.
  Result<void> close();

  const std::filesystem::path& path() const { return path_; }
  /// Whether lines are refused because the disk takes none.
  bool refuses() const;
  /// Of lines that are not on the disk yet.
  std::size_t queued_bytes() const { return queued_bytes_; }

 private:
  enum class Outcome : std::uint8_t { kPending, kDurable, kFailed };
  /// Lines that somebody waits for, and what came of them. Under mutex_.
  struct Group {
    std::string text;
    Outcome outcome = Outcome::kPending;
    std::condition_variable decided;
  };
  /// A thread's kLater lines.
  struct Queue {
    std::mutex mutex;  // of the thread and the flusher
    std::string text;
  };
  class File;

  Writer(Options options, std::filesystem::path path, std::unique_ptr<File> file);
  Result<void> append_later(std::string_view line);
  Result<void> append_now(std::string_view line);
  bool reserve(std::size_t bytes);
  void flush_groups();
  int write_lines(const Group& group);
  int write_collected();
  void note_outcome(int error, bool anything);
  void collect_later();
  bool must_write() const;  // under mutex_
  bool crowded() const { return queued_bytes_ > options_.max_queued_bytes / 2; }

  const Options options_;
  const std::filesystem::path path_;
  const std::unique_ptr<File> file_;  ///< the flusher's alone while it runs

  PerThread<Queue> queues_;
  /// kLater lines that have left the queues and are not in the file. The flusher's alone.
  std::string collected_;
  std::atomic<std::size_t> queued_bytes_{0};  ///< in queues and groups, and being written
  std::atomic<bool> later_queued_{false};     ///< and the flusher knows
  std::atomic<bool> closed_{false};           ///< nothing is collected any more
  std::atomic<bool> failing_{false};          ///< the last group could not be written
  /// Since when that is so, on the steady clock.
  std::atomic<std::chrono::steady_clock::time_point> failing_since_{};

  std::mutex mutex_;
  std::condition_variable wake_;  ///< for the flusher
  std::shared_ptr<Group> next_;
  bool closing_ = false;

  std::mutex close_mutex_;      ///< taken before mutex_
  std::size_t lost_lines_ = 0;  ///< kLater lines given up by close(); the flusher's until it ended
  std::thread flusher_;
};

}  // namespace keyhold::audit
