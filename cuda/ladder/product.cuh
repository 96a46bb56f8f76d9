#pragma once
#include "../kernels/launch.cuh"

// What the rungs of gemm have in common: elements by their place, and what becomes of a sum.
namespace baregrad {

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
struct Product {
  ConstMatrix a, b;
  const float* bias;
  Matrix c;
  GemmSize size;
  float alpha, beta;

  // Elements of a and b in batch s, 0 outside.
  __device__ float a_at(int64_t s, int64_t i, int64_t p) const {
    return i < size.m && p < size.k ? a.data[s * a.batch + i * a.row + p * a.col] : 0.f;
  }
  __device__ float b_at(int64_t s, int64_t p, int64_t j) const {
    return p < size.k && j < size.n ? b.data[s * b.batch + p * b.row + j * b.col] : 0.f;
  }
  __device__ void put(int64_t s, int64_t i, int64_t j, float sum) const {
    if (i >= size.m || j >= size.n) return;
    float* const out = c.data + s * c.batch + i * c.row + j * c.col;
    const float before = beta != 0.f ? beta * *out : 0.f;
    *out = alpha * sum + before + (bias ? bias[j] : 0.f);
  }
  // Four neighbours in a row of c, in one access where that may be.
  __device__ void put_four(int64_t s, int64_t i, int64_t j, const float (&sum)[4]) const {
    float* const out = c.data + s * c.batch + i * c.row + j;
    const bool at_once = c.col == 1 && i < size.m && j + 4 <= size.n &&
                         reinterpret_cast<uintptr_t>(out) % sizeof(float4) == 0;
    if (!at_once) {
      for (int e = 0; e < 4; ++e) put(s, i, j + e, sum[e]);
      return;
    }
    float v[4] = {};
    if (beta != 0.f) {
      const float4 before = *reinterpret_cast<float4*>(out);
      v[0] = before.x, v[1] = before.y, v[2] = before.z, v[3] = before.w;
    }
    for (int e = 0; e < 4; ++e) v[e] = alpha * sum[e] + beta * v[e] + (bias ? bias[j + e] : 0.f);
    *reinterpret_cast<float4*>(out) = make_float4(v[0], v[1], v[2], v[3]);
  }
};

// The tile of c that a block computes, of kHeight rows and kWidth columns.
template <int kHeight, int kWidth>
struct Tile {
  int64_t s, i, j;  // batch, first row and first column

  __device__ explicit Tile(const GemmSize& size) {
    const int64_t rows = divide_up(size.m, kHeight), columns = divide_up(size.n, kWidth);
    s = blockIdx.x / (rows * columns);
    i = blockIdx.x / columns % rows * kHeight;
    j = blockIdx.x % columns * kWidth;
  }
  static unsigned count(const GemmSize& size) {
    return unsigned(size.batch * divide_up(size.m, kHeight) * divide_up(size.n, kWidth));
  }
};

}  // namespace baregrad
