// Elementwise ops of one argument: a struct of two formulas per kind, and one kernel for all.
#include "launch.cuh"

namespace baregrad {
namespace {

namespace kinds {

struct relu {
  // NaN is not <= 0, so it stays; -0 is, and becomes +0.
  __device__ static float forward(float x) { return x <= 0.f ? 0.f : x; }
  __device__ static float backward(float out, float dout) { return out <= 0.f ? 0.f : dout; }
};

struct tanh {
  __device__ static float forward(float x) { return tanhf(x); }
  __device__ static float backward(float out, float dout) {
    return (1.f - out) * (1.f + out) * dout;
  }
};

}  // namespace kinds

// x (n,) -> out (n,), neighbouring threads on neighbouring elements
template <class Kind>
__global__ void unary_forward_kernel(const float* x, float* out, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = Kind::forward(x[i]);
}

// saved (n,), dout (n,) -> dx (n,)
template <class Kind>
__global__ void unary_backward_kernel(const float* saved, const float* dout, float* dx, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    dx[i] = Kind::backward(saved[i], dout[i]);
}

}  // namespace

void unary_forward(UnaryKind kind, const float* x, float* out, int64_t n, cudaStream_t stream) {
  if (n == 0) return;  // a grid of no blocks is an error
  const unsigned blocks = blocks_for(n, kThreads);
  switch (kind) {
#define BAREGRAD_CASE(kind)                                                        \
  case unary_##kind:                                                               \
    unary_forward_kernel<kinds::kind><<<blocks, kThreads, 0, stream>>>(x, out, n); \
    break;
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

void unary_backward(UnaryKind kind, const float* saved, const float* dout, float* dx, int64_t n,
                    cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for(n, kThreads);
  switch (kind) {
#define BAREGRAD_CASE(kind)                                                                  \
  case unary_##kind:                                                                         \
    unary_backward_kernel<kinds::kind><<<blocks, kThreads, 0, stream>>>(saved, dout, dx, n); \
    break;
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace baregrad
