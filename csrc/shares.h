#pragma once
#include <stdint.h>

#include <algorithm>

namespace baregrad {

// Of the pieces of a region, [begin, end).
struct Pieces {
  int64_t begin, end;

  int64_t count() const { return end - begin; }
  bool none() const { return count() == 0; }
};

// What is left to a thread: it takes from the front, and who has nothing left takes from the back.
// CPUs are not equally fast, least of all where something else runs on one. Both ends are in one
// word, so there are fewer than 2^32 pieces. Cuts are at multiples of `unit`.
class Share {
 public:
  void set(Pieces pieces) { __atomic_store_n(&ends_, joined(pieces), __ATOMIC_RELAXED); }

  // Half of what is left, but at most about `most` and, while there are some, at least `least`.
  Pieces take(int64_t least, int64_t most, int64_t unit) {
    Pieces front, left;
    uint64_t ends = read();
    do {
      left = pieces(ends);
      const int64_t half = std::max(std::min(left.count() / 2, most), least);
      front = {left.begin, std::min(round_up(left.begin + half, unit), left.end)};
    } while (!replace(ends, {front.end, left.end}));
    return front;
  }

  // The rear half, or none where it would be less than `least`.
  Pieces give(int64_t least, int64_t unit) {
    Pieces rear, left;
    uint64_t ends = read();
    do {
      left = pieces(ends);
      rear = {round_up(left.end - left.count() / 2, unit), left.end};
      if (rear.count() < least) return {};
    } while (!replace(ends, {left.begin, rear.begin}));
    return rear;
  }

 private:
  static int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
  static Pieces pieces(uint64_t ends) { return {int64_t(ends >> 32), int64_t(ends & UINT32_MAX)}; }
  static uint64_t joined(Pieces some) { return uint64_t(some.begin) << 32 | uint64_t(some.end); }

  uint64_t read() const { return __atomic_load_n(&ends_, __ATOMIC_RELAXED); }
  bool replace(uint64_t& ends, Pieces by) {
    return __atomic_compare_exchange_n(&ends_, &ends, joined(by), true, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
  }

  uint64_t ends_;  // no std::atomic, which would clear a thousand of them before each region
};

}  // namespace baregrad
