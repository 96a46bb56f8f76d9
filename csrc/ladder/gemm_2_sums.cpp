// Rung 2: the sums of 8 vectors stay in registers while k runs. Before, each multiply-add read and
// wrote c in memory.
#include "../kernels.h"
#include "vector.h"

namespace {

using namespace baregrad;

// 8 chains hide the latency of the multiply-add: 4 cycles on each of 2 units.
constexpr int kVectors = 8;
constexpr int64_t kColumns = kVectors * kLanes;

// a (k,), b (k, columns) -> sums (columns,) = a b
void multiply(const float* a, int64_t a_step, ConstMatrix b, int64_t columns, int64_t k,
              float* sums) {
  if (columns < kColumns || b.col != 1) {  // at the edge, or down columns: as rung 0
    for (int64_t j = 0; j < columns; ++j) {
      sums[j] = 0;
      for (int64_t p = 0; p < k; ++p) sums[j] += a[p * a_step] * b.data[p * b.row + j * b.col];
    }
    return;
  }
  Vec sum[kVectors] = {};
  for (int64_t p = 0; p < k; ++p)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      sum[j] += a[p * a_step] * load(b.data + p * b.row + j * kLanes);
  for (int j = 0; j < kVectors; ++j) store(sums + j * kLanes, sum[j]);
}

// sums (columns,) -> c (columns,) = alpha sums + beta c + bias
void update(const float* sums, const float* bias, float* c, int64_t step, int64_t columns,
            float alpha, float beta) {
  for (int64_t j = 0; j < columns; ++j) {
    const float before = beta != 0 ? beta * c[j * step] : 0;
    c[j * step] = alpha * sums[j] + before + (bias ? bias[j] : 0);
  }
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*) {
  for (int64_t s = 0; s < size.batch; ++s)
    for (int64_t j = 0; j < size.n; j += kColumns)
      for (int64_t i = 0; i < size.m; ++i) {
        const int64_t columns = least(size.n - j, kColumns);
        float sums[kColumns];
        multiply(a.data + s * a.batch + i * a.row, a.col,
                 {b.data + s * b.batch + j * b.col, 0, b.row, b.col}, columns, size.k, sums);
        update(sums, bias ? bias + j : nullptr, c.data + s * c.batch + i * c.row + j * c.col, c.col,
               columns, alpha, beta);
      }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
