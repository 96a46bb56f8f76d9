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

// A block computes 64 x 64 outputs, and has 16 places along k in shared memory at a time.
constexpr int kTile = 64, kDepth = 16;
using Place = Tile<kTile, kTile>;

// Where a number lies in its row of shared memory: what lanes read at once, rows of 4 numbers of a or 8 of b,
// is in different banks.
__device__ inline int a_place(int row, int depth) { return depth ^ row / 2 % 4 * 4; }
__device__ inline int b_place(int depth, int column) { return column ^ depth % 4 * 8; }

// The 32 x 16 outputs of a warp in its block's tile.
class WarpSums {
 public:
  __device__ WarpSums(const Product& x, const Place& tile)
      : x_(x), tile_(tile), row_(warp() / kWarps * kHeight), column_(warp() % kWarps * kWidth) {}

  // += a b, whose numbers lie at their places.
  __device__ void add(const float (&a)[kTile][kDepth], const float (&b)[kDepth][kTile]) {
    if (tile_.i + row_ >= x_.size.m || tile_.j + column_ >= x_.size.n) return;
    const int lane = threadIdx.x % kWarp;
    for (int q = 0; q < kDepth; q += 8) {
      Parts<4> y[kHigh];
      Parts<2> z[kWide];
      for (int h = 0; h < kHigh; ++h) {
        float four[4];
        const int i = row_ + h * 16 + lane % 16;
        ptx::load_matrices(four, &a[i][a_place(i, q + lane / 16 * 4)]);
        all_have_parts_ &= y[h].split(four);
      }
      for (int w = 0; w < kWide; ++w) {
        const int d = q + lane % 4, j = b_place(d, column_ + w * 8 + lane / 4);
        all_have_parts_ &= z[w].split({b[d][j], b[d + 4][j]});
      }
#pragma unroll
      for (int h = 0; h < kHigh; ++h)
#pragma unroll
        for (int w = 0; w < kWide; ++w) sums_[h][w].add(y[h], z[w]);
    }
  }

  __device__ void put() const {
    if (__syncthreads_or(!all_have_parts_)) return put_plain();
#pragma unroll
    for (int h = 0; h < kHigh; ++h)
#pragma unroll
      for (int w = 0; w < kWide; ++w)
        sums_[h][w].put(x_, tile_.s, tile_.i + row_ + h * 16, tile_.j + column_ + w * 8);
  }

 private:
  static constexpr int kHeight = 32, kWidth = 16, kWarps = kTile / kWidth;  // warps side by side
  static constexpr int kHigh = kHeight / 16, kWide = kWidth / 8;            // instructions

  __device__ static int warp() { return threadIdx.x / kWarp; }
  // The whole tile, whose factors do not all have parts.
  __device__ void put_plain() const {
    for (int e = threadIdx.x; e < kTile * kTile; e += kThreads) {
      const int64_t i = tile_.i + e / kTile, j = tile_.j + e % kTile;
      float sum = 0.f;
      for (int64_t p = 0; p < x_.size.k; ++p)
        sum += x_.a_at(tile_.s, i, p) * x_.b_at(tile_.s, p, j);
      x_.put(tile_.s, i, j, sum);
    }
  }

  const Product& x_;
  const Place& tile_;
  int row_, column_;
  PartSums sums_[kHigh][kWide];
  bool all_have_parts_ = true;
};

}  // namespace baregrad
