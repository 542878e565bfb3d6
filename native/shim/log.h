// The container's log: CRI lines in a file that rotates by size (kubernetes design proposal "CRI: logging").
//
//   2026-01-02T03:04:05.123456789Z stdout F text\n     a whole line, or the last part of one
//   2026-01-02T03:04:05.123456789Z stdout P text\n     a part: the line goes on in the stream's next record
//
// Bytes are copied, never interpreted: only '\n' has a meaning. What a process wrote without a newline is logged at
// once as a part, so nothing is held back in memory and a prompt shows in `logs -f`. Parts are at most 16 KiB.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stack {

enum class Stream : uint8_t { out, err };

class Log {
 public:
  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // Opens (appends to) `name` in `dirfd`, which stays the caller's and must stay open. At most 63 bytes of name.
  // `max_size` in bytes, 0: no limit. `max_files` counts the live file too: name, name.1, … name.(max_files-1).
  // False with errno set where the file cannot be opened; write() then only counts.
  bool open(int dirfd, const char* name, uint64_t max_size, unsigned max_files);

  // One chunk as read from the process's pipe or pty. Never fails: what a full disk refuses is counted, and a note
  // tells how many records were lost once the disk takes bytes again.
  void write(Stream stream, const char* bytes, size_t size);

  // The stream is at its end: an unfinished line gets its closing record.
  void end(Stream stream);

  // Records that could not be written and are not yet told of by a note.
  uint64_t lost() const { return lost_; }

 private:
  struct Batch;
  void append(Batch& batch, Stream stream, bool is_whole, const char* text, size_t size);
  void flush(Batch& batch);
  bool put(const char* bytes, size_t size);
  bool rotate();
  bool reopen(bool is_new);

  int dirfd_ = -1;
  int fd_ = -1;
  char name_[64] = {};
  uint64_t max_size_ = 0;
  unsigned max_files_ = 1;
  uint64_t size_ = 0;
  uint64_t lost_ = 0;
  int lost_errno_ = 0;
  bool is_partial_[2] = {};
};

}  // namespace stack
