// Regions of two threads: of one that is stuck in its first piece until the other has done all it can, and
// of very many pieces.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <vector>

#include "interruptible.h"
#include "threads.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Work {
  explicit Work(int64_t n) : times(n) {}

  std::vector<std::atomic<int>> times;  // that each index was worked on
  std::atomic<int64_t> done{0};
  std::atomic<int64_t> beside{0};  // that were done when the first piece was given up
  std::atomic<bool> off{false};    // whether a piece began elsewhere than it may
  int64_t slice;
};

void body(void* context, int64_t begin, int64_t end) {
  Work& work = *static_cast<Work*>(context);
  const int64_t n = int64_t(work.times.size());
  if (begin % work.slice && begin != n / 2) work.off = true;
  for (int64_t i = begin; i < end; ++i) {
    ++work.times[i];
    if (i > 0) {
      usleep(100);
      ++work.done;
      continue;
    }
    // Of its own slice the rest, of its share less than two slices cannot be done meanwhile.
    const int64_t possible = n - 3 * work.slice;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (work.done < possible && Clock::now() < deadline) usleep(100);
    work.beside = work.done.load();
  }
}

void count(void* context, int64_t begin, int64_t end) {
  *static_cast<std::atomic<int64_t>*>(context) += end - begin;
}

}  // namespace

// How many of n indices, in slices, were done beside the stuck one; or -1 if some were not done just
// once, or a slice began elsewhere than at a multiple.
extern "C" __attribute__((visibility("default"))) int64_t done_beside(int64_t n, int64_t slice) {
  Work work(n);
  work.slice = slice;
  baregrad::set_thread_count(2);
  {
    const baregrad::Interruptible in_slices(nullptr, 1e12);
    baregrad::parallel_for(n, 1, body, &work, slice);
  }
  for (const auto& times : work.times)
    if (times != 1) return -1;
  return work.off ? -1 : work.beside.load();
}

// How many of n indices, in pieces of `grain`, a body was called for.
extern "C" __attribute__((visibility("default"))) int64_t covered(int64_t n, int64_t grain) {
  std::atomic<int64_t> total{0};
  baregrad::set_thread_count(2);
  const baregrad::Interruptible in_slices(nullptr, 1e6);
  baregrad::parallel_for(n, grain, count, &total);
  return total;
}
