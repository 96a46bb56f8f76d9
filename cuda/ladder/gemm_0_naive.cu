// Rung 0: one thread per output, straight from memory. Neighbouring threads take neighbouring rows,
// so each reads a cache line of its own.
#include "../kernels/launch.cuh"

namespace {

using namespace baregrad;

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
__global__ void gemm_naive_kernel(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c,
                                  GemmSize size, float alpha, float beta) {
  const int64_t output = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (output >= size.batch * size.m * size.n) return;
  const int64_t i = output % size.m, j = output / size.m % size.n, s = output / (size.m * size.n);
  float sum = 0.f;
  for (int64_t p = 0; p < size.k; ++p)
    sum +=
        a.data[s * a.batch + i * a.row + p * a.col] * b.data[s * b.batch + p * b.row + j * b.col];
  float* out = c.data + s * c.batch + i * c.row + j * c.col;
  const float before = beta != 0.f ? beta * *out : 0.f;
  *out = alpha * sum + before + (bias ? bias[j] : 0.f);
}

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const int64_t outputs = size.batch * size.m * size.n;
  if (outputs == 0) return;
  const unsigned blocks = unsigned(divide_up(outputs, kThreads));
  gemm_naive_kernel<<<blocks, kThreads, 0, stream>>>(a, b, bias, c, size, alpha, beta);
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
