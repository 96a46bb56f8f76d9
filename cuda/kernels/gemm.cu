// GEMM: tiles.cuh, of matrices with any strides.
#include "mma.cuh"

namespace baregrad {
namespace {

// bias (n,) -> c (batch, m, n) = alpha sum + beta c + bias
struct Store {
  Matrix c;
  const float* bias;
  float alpha, beta;

  template <int kCount>
  __device__ void operator()(int64_t batch, int64_t i, int64_t j, const float (&sum)[kCount],
                             int count) const {
    float* const out = c.data + batch * c.batch + i * c.row + j * c.col;
    float before[kCount] = {}, shift[kCount] = {}, v[kCount];
    if (bias) read(bias + j, shift, count);
    if (beta != 0.f) read(out, before, count, c.col);  // else c may hold NaN
#pragma unroll
    for (int e = 0; e < kCount; ++e) v[e] = alpha * sum[e] + beta * before[e] + shift[e];
    write(out, v, count, c.col);
  }
};

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
template <template <int, int> class Sums>
void product(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
             float beta, void* workspace, cudaStream_t stream) {
  multiply<Sums>(Strided{a.data, a.batch, a.row, a.col, size.m},
                 Strided{b.data, b.batch, b.col, b.row, size.n}, Store{c, bias, alpha, beta},
                 size.batch, size.m, size.n, size.k, static_cast<float*>(workspace), stream);
}

}  // namespace

// Whatever the arithmetic: where it cuts c otherwise, there are no splits.
int64_t gemm_workspace(GemmSize size) {
  return multiply_workspace(true, size.batch, size.m, size.n, size.k);
}

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* workspace, cudaStream_t stream) {
  product<FmaSums>(a, b, bias, c, size, alpha, beta, workspace, stream);
}

void gemm_tf32(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size,
               float alpha, float beta, void* workspace, cudaStream_t stream) {
  product<Tf32Sums>(a, b, bias, c, size, alpha, beta, workspace, stream);
}

void gemm_bf16(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size,
               float alpha, float beta, void* workspace, cudaStream_t stream) {
  product<Bfloat16Sums>(a, b, bias, c, size, alpha, beta, workspace, stream);
}

}  // namespace baregrad
