// cp.async: copies that a thread begins and waits for later. When they happen in between is the
// hardware's choice; here the schedule's.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace simt {

struct AsyncCopy {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes, read;  // the rest is 0
  const void* pc;           // of a watched kernel, behind the call; else nullptr
};

// Those of one thread that have not happened, in groups.
class AsyncCopies {
 public:
  void clear();  // and gives back their memory
  void add(const AsyncCopy& copy) { copies_.push_back(copy); }
  void commit();
  std::size_t groups() const { return ends_.size() - taken_; }
  std::span<const AsyncCopy> take();  // the oldest group, of which there is one

 private:
  std::vector<AsyncCopy> copies_;
  std::vector<std::size_t> ends_;  // of groups, in there
  std::size_t taken_ = 0;          // groups that have happened
};

}  // namespace simt
