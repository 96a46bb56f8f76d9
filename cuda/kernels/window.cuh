#pragma once
#include "launch.cuh"

// Windows that slide along an axis, as images know them.
namespace baregrad {

// The window whose cell number `cell` lies on this pixel, or -1 if there is none.
__device__ inline int64_t window_of(int64_t pixel, int64_t cell, int64_t windows, int64_t stride,
                                    int64_t pad, int64_t dilation) {
  const int64_t start = pixel + pad - cell * dilation;
  return start < 0 || start % stride || start / stride >= windows ? -1 : start / stride;
}

}  // namespace baregrad
