#pragma once
#include <stdio.h>
#include <stdlib.h>

#include <initializer_list>

#include "kernels.h"

// Lets a product as tutorials write it fill the slot gemm: gemm_plain(m, n, k, a, b, c) of row-major
// matrices, which does C = A B or C += A B.
namespace baregrad::plain {

// Before and behind a and b lie so many NaN, which whoever reads outside will see in the result. Around
// c lies a number, for NaN added to NaN may be the same NaN: whoever writes there will change it.
constexpr int64_t kGap = 16;
constexpr uint32_t kUnread = 0x7fc0beef, kUnwritten = 0x4640e6b7;  // NaN, 12345.678

inline float* gap(float* at, uint32_t filling) {
  for (int64_t i = 0; i < kGap; ++i) at[i] = __builtin_bit_cast(float, filling);
  return at + kGap;
}
inline void expect_gap(const float* at, uint32_t filling) {
  for (int64_t i = 0; i < kGap; ++i)
    if (__builtin_bit_cast(uint32_t, at[i]) != filling) {
      fputs("gemm_plain wrote outside c\n", stderr);
      abort();
    }
}

inline int64_t gemm_workspace(GemmSize size) {
  const int64_t floats = size.m * size.k + size.k * size.n + size.m * size.n;
  return (floats + 5 * kGap) * int64_t(sizeof(float));
}

// x (rows, columns), any strides -> to (rows, columns), row-major
inline void copy(ConstMatrix x, int64_t rows, int64_t columns, float* to) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) *to++ = x.data[i * x.row + j * x.col];
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
template <auto gemm_plain>
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* workspace) {
  const auto [batch, m, n, k] = size;
  float *own_a = gap(static_cast<float*>(workspace), kUnread), *own_b = gap(own_a + m * k, kUnread);
  float *behind_b = own_b + k * n, *product = gap(gap(behind_b, kUnread), kUnwritten);
  float* behind_c = product + m * n;
  gap(behind_c, kUnwritten);
  for (int64_t s = 0; s < batch; ++s) {
    copy({a.data + s * a.batch, 0, a.row, a.col}, m, k, own_a);
    copy({b.data + s * b.batch, 0, b.row, b.col}, k, n, own_b);
    for (int64_t q = 0; q < m * n; ++q) product[q] = 0.f;
    gemm_plain(m, n, k, own_a, own_b, product);
    for (const float* at : {own_a - kGap, own_b - kGap, behind_b}) expect_gap(at, kUnread);
    for (const float* at : {product - kGap, behind_c}) expect_gap(at, kUnwritten);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        float& out = c.data[s * c.batch + i * c.row + j * c.col];
        out = alpha * product[i * n + j] + (beta != 0 ? beta * out : 0) + (bias ? bias[j] : 0);
      }
  }
}

}  // namespace baregrad::plain
