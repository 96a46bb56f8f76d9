#pragma once
#include <float.h>

#include "../ptx.h"
#include "product.cuh"

// float32 products on tensor cores, which take TF32: 11 bits (3xTF32; Ootomo and Yokota 2022).
//
// x = hi + mid + lo, cut after 11 and after 22 bits, so exactly, and |mid| < 2^-10 |x|, |lo| < 2^-21 |x|.
// Two parts, even rounded ones, have 23 of the 24 bits: a product would be off by up to 4 u, u = 2^-24, and
// k = 1 allows 1 u. Of nine products of parts hi hi is summed alone, five others together, and mid lo,
// lo mid and lo lo, less than u |a b| / 64, are left out.
//
// An error of k u |a| |b| is allowed before Product::put, and 3 u there, which takes 2. A hi hi goes through
// at most min(k, 8) - 1 additions in its instruction, divide_up(k, 8) - 1 between instructions and 1 with the
// five: not more than k. The five, 2^-9 |a b| together, go through 5 k: k u / 100. With what is left out
// that is less than the third u, until divide_up(k, 8) leaves room enough.
//
// So it is where an instruction adds as float32 does. PTX leaves that open, and devices cut (Fasi, Higham,
// Mikaitis and Pranesh 2021): the large sums are added outside.
namespace baregrad {

// Whether all parts of x are normal numbers, or 0: not of infinity and NaN.
__device__ inline bool has_parts(float x) {
  return x == 0.f || (fabsf(x) >= 0x1p-100f && fabsf(x) <= FLT_MAX);
}

// What a lane holds of one factor, as ptx::mma_tf32 wants it.
template <int kCount>
struct Parts {
  uint32_t hi[kCount], mid[kCount], lo[kCount];

  // Returns whether x has parts.
  __device__ bool split(const float (&x)[kCount]) {
    constexpr uint32_t kKept = 0xffffe000u;
    bool all = true;
#pragma unroll
    for (int e = 0; e < kCount; ++e) {
      hi[e] = __float_as_uint(x[e]) & kKept;
      const float rest = x[e] - __uint_as_float(hi[e]);
      mid[e] = __float_as_uint(rest) & kKept;
      lo[e] = __float_as_uint(rest - __uint_as_float(mid[e]));
      all &= has_parts(x[e]);
    }
    return all;
  }
};

// c (16, 8) of a warp, += a (16, 8) b (8, 8).
struct PartSums {
  float large[4] = {}, small[4] = {};

  __device__ void add(const Parts<4>& a, const Parts<2>& b) {
    float eight[4] = {};
    ptx::mma_tf32(eight, a.hi, b.hi);
    ptx::mma_tf32(small, a.lo, b.hi);
    ptx::mma_tf32(small, a.hi, b.lo);
    ptx::mma_tf32(small, a.mid, b.mid);
    ptx::mma_tf32(small, a.mid, b.hi);
    ptx::mma_tf32(small, a.hi, b.mid);
#pragma unroll
    for (int e = 0; e < 4; ++e) large[e] += eight[e];
  }
  // From row i and column j of c on, of which a lane has two neighbours and two 8 rows below.
  __device__ void put(const Product& x, int64_t s, int64_t i, int64_t j) const {
    const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int e = 2 * half;
      const float sum[] = {large[e] + small[e], large[e + 1] + small[e + 1]};
      x.put_neighbours(s, i + half * 8 + g, j + 2 * t, sum);
    }
  }
};

// A tile whose factors do not all have parts.
template <int kHeight, int kWidth>
__device__ void put_plain(const Product& x, const Tile<kHeight, kWidth>& tile) {
  for (int e = threadIdx.x; e < kHeight * kWidth; e += kThreads) {
    const int64_t i = tile.i + e / kWidth, j = tile.j + e % kWidth;
    float sum = 0.f;
    for (int64_t p = 0; p < x.size.k; ++p) sum += x.a_at(tile.s, i, p) * x.b_at(tile.s, p, j);
    x.put(tile.s, i, j, sum);
  }
}

}  // namespace baregrad
