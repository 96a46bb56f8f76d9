#pragma once
#include "tiles.cuh"

// The same product on tensor cores: numbers are rounded as they leave shared memory, products are exact
// and sums float32. What arrives and what leaves is float32, so that weights keep all their bits.
namespace baregrad {

// What a lane holds of 16 rows of a by 16 places along k is x[h][e], in row g + 8 (e % 2) and place
// 8 h + t + 4 (e / 2), with g = lane / 4 and t = lane % 4; of 8 columns of b, y[e] of place t + 4 e.
struct Tf32 {
  static constexpr int kTimes = 2;  // an instruction is for 8 places

  __device__ static void round_a(const float (&x)[2][4], uint32_t (&to)[kTimes][4]) {
#pragma unroll
    for (int e = 0; e < 8; ++e) to[e / 4][e % 4] = ptx::to_tf32(x[e / 4][e % 4]);
  }
  __device__ static void round_b(const float (&y)[4], uint32_t (&to)[kTimes][2]) {
#pragma unroll
    for (int e = 0; e < 4; ++e) to[e / 2][e % 2] = ptx::to_tf32(y[e]);
  }
  __device__ static void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    ptx::mma_tf32(c, a, b);
  }
};

// The instruction is for 16 places, in which a pair are neighbours: here those 4 apart, in a and b alike.
struct Bfloat16 {
  static constexpr int kTimes = 1;

  __device__ static void round_a(const float (&x)[2][4], uint32_t (&to)[kTimes][4]) {
#pragma unroll
    for (int e = 0; e < 4; ++e) to[0][e] = ptx::to_bf16(x[e / 2][e % 2], x[e / 2][e % 2 + 2]);
  }
  __device__ static void round_b(const float (&y)[4], uint32_t (&to)[kTimes][2]) {
#pragma unroll
    for (int e = 0; e < 2; ++e) to[0][e] = ptx::to_bf16(y[2 * e], y[2 * e + 1]);
  }
  __device__ static void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    ptx::mma_bf16(c, a, b);
  }
};

// A warp has 32 rows of the tile, and as many columns as there are warps for the rest.
template <int kTileHeight, int kTileWidth, class Number>
class MmaSums {
 public:
  static constexpr int kHeight = kTileHeight, kWidth = kTileWidth;
  static constexpr bool kIsLean = false;
  static constexpr int kDepth = 16, kStages = 3;
  template <int kRows>
  using Tile = baregrad::Tile<kRows, kDepth, true, 4>;  // 8 rows of 16 bytes lie in all banks
  static constexpr int kPad = 8;                        // of the rows of sums

  __device__ void add(const Tile<kHeight>& a, const Tile<kWidth>& b) {
    const int lane = threadIdx.x % kWarp;
    uint32_t x[kHigh][Number::kTimes][4];
#pragma unroll
    for (int r = 0; r < kHigh; ++r) {
      float four[2][4];
#pragma unroll
      for (int h = 0; h < 2; ++h)
        ptx::load_matrices(four[h], a.at(row() + r * 16 + lane % 16, h * 8 + lane / 16 * 4));
      Number::round_a(four, x[r]);
    }
#pragma unroll
    for (int c = 0; c < kWide; ++c) {
      float four[4];
      uint32_t y[Number::kTimes][2];
      ptx::load_matrices(four, b.at(column() + c * 8 + lane % 8, lane / 8 * 4));
      Number::round_b(four, y);
#pragma unroll
      for (int r = 0; r < kHigh; ++r)
#pragma unroll
        for (int time = 0; time < Number::kTimes; ++time)
          Number::mma(sum_[r][c], x[r][time], y[time]);
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
