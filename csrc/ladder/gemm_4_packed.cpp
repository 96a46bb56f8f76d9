// Rung 4: a and b copied into slivers, in the order in which a tile reads them. Any strides are as
// fast as plain rows, no row evicts another for lying a power of two away, and zeros make every
// tile whole.
#include "../kernels.h"
#include "vector.h"

namespace {

using namespace baregrad;

// The sums, 2 vectors of b and one number of a fill the registers: 32 of AVX-512, or 16.
constexpr int kRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4, kVectors = 2;
constexpr int64_t kColumns = kVectors * kLanes;

// x (length, k), steps between its elements -> slivers (length / Width, k, Width)
template <int64_t Width>
void pack(const float* x, int64_t step, int64_t k_step, int64_t length, int64_t k, float* slivers) {
  for (int64_t i = 0; i < length; i += Width)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = i; j < i + Width; ++j)
        *slivers++ = j < length ? x[j * step + p * k_step] : 0;
}

// a (k, kRows), b (k, kColumns), slivers -> tile (kRows, kColumns) = a' b
void multiply(const float* a, const float* b, int64_t k, float (&tile)[kRows][kColumns]) {
  Vec sum[kRows][kVectors] = {};
  for (int64_t p = 0; p < k; ++p, a += kRows, b += kColumns) {
    const Vec row[kVectors] = {load(b), load(b + kLanes)};
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sum[i][j] += a[i] * row[j];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) store(&tile[i][j * kLanes], sum[i][j]);
}

// tile (rows, columns) -> c (rows, columns) = alpha tile + beta c + bias
void update(const float (&tile)[kRows][kColumns], const float* bias, Matrix c, int64_t rows,
            int64_t columns, float alpha, float beta) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      float& out = c.data[i * c.row + j * c.col];
      out = alpha * tile[i][j] + (beta != 0 ? beta * out : 0) + (bias ? bias[j] : 0);
    }
}

int64_t workspace(GemmSize size) {
  return (round_up(size.m, kRows) + round_up(size.n, kColumns)) * size.k * int64_t(sizeof(float));
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* scratch) {
  const int64_t k = size.k;
  float *packed_b = static_cast<float*>(scratch),
        *packed_a = packed_b + round_up(size.n, kColumns) * k;
  for (int64_t s = 0; s < size.batch; ++s) {
    pack<kColumns>(b.data + s * b.batch, b.col, b.row, size.n, k, packed_b);
    pack<kRows>(a.data + s * a.batch, a.row, a.col, size.m, k, packed_a);
    for (int64_t j = 0; j < size.n; j += kColumns)
      for (int64_t i = 0; i < size.m; i += kRows) {
        const int64_t rows = least(size.m - i, kRows), columns = least(size.n - j, kColumns);
        float tile[kRows][kColumns];
        multiply(packed_a + i * k, packed_b + j * k, k, tile);
        update(tile, bias ? bias + j : nullptr,
               {c.data + s * c.batch + i * c.row + j * c.col, 0, c.row, c.col}, rows, columns,
               alpha, beta);
      }
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->gemm = gemm;
  table->gemm_workspace = workspace;
}
