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
    *out = scaled(sum, beta != 0.f ? *out : 0.f, bias ? bias[j] : 0.f);
  }
  // kCount neighbours in a row of c, in one access where that may be.
  template <int kCount>
  __device__ void put_neighbours(int64_t s, int64_t i, int64_t j,
                                 const float (&sum)[kCount]) const {
    struct alignas(kCount * sizeof(float)) Numbers {
      float v[kCount];
    };
    float* const out = c.data + s * c.batch + i * c.row + j;
    const auto is_whole = [](const float* numbers) {
      return reinterpret_cast<uintptr_t>(numbers) % sizeof(Numbers) == 0;
    };
    const bool at_once = c.col == 1 && i < size.m && j + kCount <= size.n && is_whole(out) &&
                         (!bias || is_whole(bias + j));
    if (!at_once) {
      for (int e = 0; e < kCount; ++e) put(s, i, j + e, sum[e]);
      return;
    }
    Numbers numbers = {}, added = {};
    if (beta != 0.f) numbers = *reinterpret_cast<Numbers*>(out);
    if (bias) added = *reinterpret_cast<const Numbers*>(bias + j);
    for (int e = 0; e < kCount; ++e) numbers.v[e] = scaled(sum[e], numbers.v[e], added.v[e]);
    *reinterpret_cast<Numbers*>(out) = numbers;
  }
  // Two roundings for the sum.
  __device__ float scaled(float sum, float before, float added) const {
    return fmaf(alpha, sum, beta * before) + added;
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
