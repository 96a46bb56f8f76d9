// Stands in for CUDA's header of this name.
#pragma once

#include "../cooperative_groups.h"

namespace cooperative_groups {

template <typename T>
struct plus {
  T operator()(T a, T b) const { return a + b; }
};
template <typename T>
struct less {  // the smaller
  T operator()(T a, T b) const { return b < a ? b : a; }
};
template <typename T>
struct greater {  // the larger
  T operator()(T a, T b) const { return a < b ? b : a; }
};

// The values of a tile combined, in every thread of it.
template <unsigned kSize, typename Parent, simt::ShuffleValue T, typename Combine>
T reduce(const thread_block_tile<kSize, Parent>& tile, T value, Combine combine,
         simt::Location here = simt::Location::current()) {
  for (unsigned lanes = kSize / 2; lanes > 0; lanes /= 2)
    value = combine(value, tile.shfl_xor(value, lanes, here));
  return value;
}

}  // namespace cooperative_groups
