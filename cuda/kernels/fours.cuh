#pragma once
#include "launch.cuh"

// Elementwise work four neighbours at a time, each access to memory 16 bytes, where all arrays begin at
// a multiple of that; else, and at the end, one at a time.
namespace baregrad {

constexpr int kFour = 4;

// Blocks for n elements, four to a thread, and for no more threads than a large device has room for.
inline unsigned blocks_for_fours(int64_t n) {
  const int64_t blocks = divide_up(n, kFour * kThreads), most = kMostBlocks / kFour;
  return unsigned(blocks < most ? blocks : most);
}

template <class... Arrays>
__device__ inline bool are_aligned(const Arrays*... arrays) {
  return ((reinterpret_cast<uintptr_t>(arrays) % sizeof(float4) == 0) && ...);
}

__device__ inline void read_four(const float* from, float (&to)[kFour]) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
__device__ inline void write_four(float* to, const float (&v)[kFour]) {
  *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
}

// Calls four(i) for elements i to i + 3 and one(i) for the others of n, all threads of the grid together.
// Unrolled these loops would be three times as long and no faster: a store may change what is read next.
template <class Four, class One>
__device__ inline void for_fours(int64_t n, bool aligned, Four four, One one) {
  const int64_t thread = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t stride = int64_t(gridDim.x) * blockDim.x, fours = aligned ? n / kFour : 0;
#pragma unroll 1
  for (int64_t i = thread; i < fours; i += stride) four(i * kFour);
#pragma unroll 1
  for (int64_t i = fours * kFour + thread; i < n; i += stride) one(i);
}

// out[i] = f(x[i])
template <class F>
__device__ inline void map(int64_t n, float* out, const float* x, F f) {
  for_fours(
      n, are_aligned(out, x),
      [&](int64_t i) {
        float v[kFour];
        read_four(x + i, v);
        for (float& each : v) each = f(each);
        write_four(out + i, v);
      },
      [&](int64_t i) { out[i] = f(x[i]); });
}

// out[i] = f(x[i], y[i])
template <class F>
__device__ inline void map(int64_t n, float* out, const float* x, const float* y, F f) {
  for_fours(
      n, are_aligned(out, x, y),
      [&](int64_t i) {
        float v[kFour], w[kFour];
        read_four(x + i, v);
        read_four(y + i, w);
        for (int e = 0; e < kFour; ++e) v[e] = f(v[e], w[e]);
        write_four(out + i, v);
      },
      [&](int64_t i) { out[i] = f(x[i], y[i]); });
}

}  // namespace baregrad
