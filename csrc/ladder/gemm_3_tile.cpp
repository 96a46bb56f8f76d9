// Rung 3: a tile of sums in registers, many rows by 2 vectors. Each vector of b that is loaded
// serves all rows of the tile; before, it served one multiply-add.
#include "../kernels.h"
#include "vector.h"

namespace {

using namespace baregrad;

// The sums, 2 vectors of b and one number of a fill the registers: 32 of AVX-512, or 16.
constexpr int kRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4, kVectors = 2;
constexpr int64_t kColumns = kVectors * kLanes;

// a (rows, k), b (k, columns) -> tile (rows, columns) = a b
void multiply(ConstMatrix a, ConstMatrix b, int64_t rows, int64_t columns, int64_t k,
              float (&tile)[kRows][kColumns]) {
  if (rows < kRows || columns < kColumns || b.col != 1) {  // as rung 0
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        tile[i][j] = 0;
        for (int64_t p = 0; p < k; ++p)
          tile[i][j] += a.data[i * a.row + p * a.col] * b.data[p * b.row + j * b.col];
      }
    return;
  }
  Vec sum[kRows][kVectors] = {};
  for (int64_t p = 0; p < k; ++p) {
    const Vec row[kVectors] = {load(b.data + p * b.row), load(b.data + p * b.row + kLanes)};
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sum[i][j] += a.data[i * a.row + p * a.col] * row[j];
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

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*) {
  for (int64_t s = 0; s < size.batch; ++s)
    for (int64_t j = 0; j < size.n; j += kColumns)
      for (int64_t i = 0; i < size.m; i += kRows) {
        const int64_t rows = least(size.m - i, kRows), columns = least(size.n - j, kColumns);
        float tile[kRows][kColumns];
        multiply({a.data + s * a.batch + i * a.row, 0, a.row, a.col},
                 {b.data + s * b.batch + j * b.col, 0, b.row, b.col}, rows, columns, size.k, tile);
        update(tile, bias ? bias + j : nullptr,
               {c.data + s * c.batch + i * c.row + j * c.col, 0, c.row, c.col}, rows, columns,
               alpha, beta);
      }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
