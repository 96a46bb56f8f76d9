#pragma once
#include <cuda_runtime.h>
#include <stdint.h>

#ifndef BAREGRAD_DEVICE
#define BAREGRAD_DEVICE
#endif
#include "../../csrc/kernels.h"

// What every launcher needs: how many blocks, and sums over a warp.
namespace baregrad {

constexpr int kWarp = 32;
constexpr int kThreads = 256;          // a block of elementwise work
constexpr int64_t kMostBlocks = 4096;  // several waves on any device; threads stride over the rest

__host__ __device__ constexpr int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

// Where part `part` of `parts` of [0, n) begins: n part / parts, of which the product might wrap.
__host__ __device__ constexpr int64_t part_begin(int64_t n, int64_t part, int64_t parts) {
  return n / parts * part + n % parts * part / parts;
}

// a / b of numbers that are not negative. Devices divide 32 bits several times as fast as 64.
__device__ inline int64_t quotient(int64_t a, int64_t b) {
  return (a | b) >> 32 == 0 ? uint32_t(a) / uint32_t(b) : a / b;
}

inline unsigned blocks_for(int64_t n, int64_t each) {
  const int64_t blocks = divide_up(n, each);
  return unsigned(blocks < kMostBlocks ? blocks : kMostBlocks);
}

struct Sum {
  template <class Number>
  __device__ Number operator()(Number a, Number b) const {
    return a + b;
  }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// The combination of v over the warp, in every lane.
template <class Number, class Combine>
__device__ inline Number warp_reduce(Number v, Combine combine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2)
    v = combine(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

// *place = value if that is less, from any thread.
__device__ inline void keep_smallest(int64_t* place, int64_t value) {
  atomicMin(reinterpret_cast<long long*>(place), static_cast<long long>(value));
}

}  // namespace baregrad
