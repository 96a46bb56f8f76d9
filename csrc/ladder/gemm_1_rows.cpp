// Rung 1: another order, rows of b times one number of a. Nothing walks down a column any more:
// every float of a cache line is used, and the compiler can take them by vectors.
#include "../kernels.h"

namespace {

using namespace baregrad;

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*) {
  for (int64_t s = 0; s < size.batch; ++s)
    for (int64_t i = 0; i < size.m; ++i) {
      float* out = c.data + s * c.batch + i * c.row;
      for (int64_t j = 0; j < size.n; ++j)
        out[j * c.col] = (beta != 0 ? beta * out[j * c.col] : 0) + (bias ? bias[j] : 0);
      for (int64_t p = 0; p < size.k; ++p) {
        const float scale = alpha * a.data[s * a.batch + i * a.row + p * a.col];
        const float* row = b.data + s * b.batch + p * b.row;
        for (int64_t j = 0; j < size.n; ++j) out[j * c.col] += scale * row[j * b.col];
      }
    }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
