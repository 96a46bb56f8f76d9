#pragma once
#include "tiles.cuh"

// The same product on tensor cores: numbers are rounded as they leave shared memory, products are exact
// and sums float32. What arrives and what leaves is float32, so that weights keep all their bits.
namespace baregrad {

struct Tf32 {
  static constexpr int kA = 4, kB = 2;  // registers of a lane

  template <class Tile>
  __device__ static void read_a(const Tile& a, int row, uint32_t (&to)[kA]) {
    const int g = row + threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
    for (int e = 0; e < kA; ++e) to[e] = ptx::to_tf32(a[t + e / 2 * 4][g + e % 2 * 8]);
  }
  template <class Tile>
  __device__ static void read_b(const Tile& b, int column, uint32_t (&to)[kB]) {
    const int g = column + threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
    for (int e = 0; e < kB; ++e) to[e] = ptx::to_tf32(b[t + e * 4][g]);
  }
};

struct Bfloat16 {
  static constexpr int kA = 2, kB = 1;

  template <class Tile>
  __device__ static void read_a(const Tile& a, int row, uint32_t (&to)[kA]) {
    const int g = row + threadIdx.x % kWarp / 4, t = threadIdx.x % 4 * 2;
    for (int e = 0; e < kA; ++e) to[e] = ptx::to_bf16(a[t][g + e * 8], a[t + 1][g + e * 8]);
  }
  template <class Tile>
  __device__ static void read_b(const Tile& b, int column, uint32_t (&to)[kB]) {
    const int g = column + threadIdx.x % kWarp / 4, t = threadIdx.x % 4 * 2;
    to[0] = ptx::to_bf16(b[t][g], b[t + 1][g]);
  }
};

// A warp has 32 rows of the tile, and as many columns as there are warps for the rest.
template <int kTileHeight, int kTileWidth, class Number>
class MmaSums {
 public:
  static constexpr int kHeight = kTileHeight, kWidth = kTileWidth;
  static constexpr bool kIsLean = false;
  static constexpr int kPad = 8;  // so that the lanes of a fragment read from all banks

  __device__ void add(const float (&a)[kDepth][kHeight + kPad],
                      const float (&b)[kDepth][kWidth + kPad]) {
    uint32_t x[kHigh][Number::kA];
#pragma unroll
    for (int r = 0; r < kHigh; ++r) Number::read_a(a, row() + r * 16, x[r]);
#pragma unroll
    for (int c = 0; c < kWide; ++c) {
      uint32_t y[Number::kB];
      Number::read_b(b, column() + c * 8, y);
#pragma unroll
      for (int r = 0; r < kHigh; ++r) ptx::mma(sum_[r][c], x[r], y);
    }
  }

  __device__ void put(int part, float (&to)[kPart][kWidth + kPad]) const {
    if (row() / kPart != part) return;
    const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int r = 0; r < kHigh; ++r)
#pragma unroll
      for (int c = 0; c < kWide; ++c)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          *reinterpret_cast<float2*>(
              &to[row() % kPart + r * 16 + half * 8 + g][column() + c * 8 + 2 * t]) =
              make_float2(sum_[r][c][2 * half], sum_[r][c][2 * half + 1]);
  }

 private:
  static constexpr int kWarpRows = kHeight / 32, kWarpColumns = kTileThreads / kWarp / kWarpRows;
  static constexpr int kHigh = 2, kWide = kWidth / kWarpColumns / 8;  // fragments of a warp
  __device__ static int row() { return threadIdx.x / kWarp / kWarpColumns * 32; }
  __device__ static int column() { return threadIdx.x / kWarp % kWarpColumns * kWide * 8; }

  float sum_[kHigh][kWide][4] = {};
};

template <int kHeight, int kWidth>
using Tf32Sums = MmaSums<kHeight, kWidth, Tf32>;
template <int kHeight, int kWidth>
using Bfloat16Sums = MmaSums<kHeight, kWidth, Bfloat16>;

}  // namespace baregrad
