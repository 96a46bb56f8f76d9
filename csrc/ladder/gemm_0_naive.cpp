// Rung 0: the definition, three loops, one multiply-add at a time. The inner loop walks down a
// column of b: each float comes from a cache line of its own.
#include "../kernels.h"

namespace {

using namespace baregrad;

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*) {
  for (int64_t s = 0; s < size.batch; ++s)
    for (int64_t i = 0; i < size.m; ++i)
      for (int64_t j = 0; j < size.n; ++j) {
        float sum = 0;
        for (int64_t p = 0; p < size.k; ++p)
          sum += a.data[s * a.batch + i * a.row + p * a.col] *
                 b.data[s * b.batch + p * b.row + j * b.col];
        float& out = c.data[s * c.batch + i * c.row + j * c.col];
        out = alpha * sum + (beta != 0 ? beta * out : 0) + (bias ? bias[j] : 0);
      }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
