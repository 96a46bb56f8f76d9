// Rung 0: one thread per output, straight from memory. Neighbouring threads take neighbouring rows,
// so each reads a cache line of its own.
#include "../kernels/launch.cuh"

namespace {

using namespace baregrad;

struct Problem {
  ConstMatrix a, b;
  const float* bias;
  Matrix c;
  GemmSize size;
  float alpha, beta;
};

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
__global__ void gemm_naive_kernel(Problem problem) {
  const auto& [a, b, bias, c, size, alpha, beta] = problem;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t j = int64_t(blockIdx.y) * blockDim.y + threadIdx.y, s = blockIdx.z;
  if (i >= size.m || j >= size.n) return;
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
  if (size.batch == 0 || size.m == 0 || size.n == 0) return;
  const dim3 block(16, 16),
      grid(unsigned((size.m + 15) / 16), unsigned((size.n + 15) / 16), unsigned(size.batch));
  const Problem problem = {a, b, bias, c, size, alpha, beta};
  gemm_naive_kernel<<<grid, block, 0, stream>>>(problem);
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->gemm = gemm; }
