// The order in which blocks, warps and lanes take their turns.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "simt.h"

namespace simt {

class Schedule {
 public:
  // False, and no change, unless text is "forward", "reverse" or "random:<seed>".
  bool parse(const std::string& text);
  std::string name() const;

  // Every launch takes the same turns, however many went before it.
  void restart(std::uint64_t blocks);

  // The block to run as number `turn`, each exactly once.
  std::uint64_t block(std::uint64_t turn) const;

  // Whether a copy that may happen later, cp.async, happens at once: forward never, in reverse always.
  bool copies_at_once() {
    return order_ == Order::kReverse || (order_ == Order::kRandom && random() % 2 == 0);
  }

  // Whether the order of blocks is no part of it: forward, where warps and lanes alone go in order.
  bool leaves_blocks_free() const { return order_ == Order::kForward; }

  // Removes from `waiting`, which is not empty, the one whose turn it is.
  int take(Mask& waiting) {
    const int taken = order_ == Order::kForward   ? std::countr_zero(waiting)
                      : order_ == Order::kReverse ? kWarpLanes - 1 - std::countl_zero(waiting)
                                                  : random_one(waiting);
    waiting &= ~(Mask{1} << taken);
    return taken;
  }

 private:
  enum class Order { kForward, kReverse, kRandom };

  int random_one(Mask waiting);
  std::uint64_t random();

  Order order_ = Order::kForward;
  std::uint64_t seed_ = 0;
  std::uint64_t state_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t first_block_ = 0;
  std::uint64_t block_stride_ = 1;  // without a divisor in common with blocks_
};

}  // namespace simt
