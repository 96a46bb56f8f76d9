// cp.async: copies that a thread begins and waits for later. When they happen in between is the
// hardware's choice; here the schedule's.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

namespace simt {

struct AsyncCopy {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes, read;  // the rest is 0
  const void* pc;           // of a watched kernel, behind the call; else nullptr
};

// Those of one thread that have not happened.
class AsyncCopies {
 public:
  void clear();
  void add(const AsyncCopy& copy) { open_.push_back(copy); }
  void commit();

  std::size_t groups() const { return groups_.size(); }
  std::vector<AsyncCopy> take();  // the oldest group, of which there is one

 private:
  std::vector<AsyncCopy> open_;  // in no group yet
  std::deque<std::vector<AsyncCopy>> groups_;
};

}  // namespace simt
