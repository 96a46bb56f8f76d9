// Bias and activation in one pass over what a product left; back, a block takes one channel, so that
// dx and dbias come of one pass too.
#include "activations.cuh"
#include "sums.cuh"

namespace baregrad {
namespace {

// x (n, c, s), bias (c,) -> out (n, c, s) = f(x + bias)
template <class Kind>
__global__ void bias_activation_forward_kernel(const float* x, const float* bias, float* out,
                                               int64_t n, int64_t c, int64_t s) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n * c * s; i += stride)
    out[i] = Kind::forward(x[i] + bias[i / s % c], 0.f);
}

// saved, dout (n, c, s) -> dx (n, c, s), dbias (c,)
template <class Kind>
__global__ void bias_activation_backward_kernel(const float* saved, const float* dout, float* dx,
                                                float* dbias, int64_t n, int64_t c, int64_t s) {
  __shared__ double sums[kWarps];
  for (int64_t channel = blockIdx.x; channel < c; channel += gridDim.x) {
    RunningSum running;
    for (int64_t i = threadIdx.x; i < n * s; i += kThreads) {
      const int64_t place = (i / s * c + channel) * s + i % s;
      const float d = Kind::backward(saved[place], dout[place], 0.f);
      dx[place] = d;
      running.add(d);
    }
    const double sum = block_sum(running.get(), sums);
    if (threadIdx.x == 0) dbias[channel] = float(sum);
  }
}

template <class Kind>
void forward(const float* x, const float* bias, float* out, int64_t n, int64_t c, int64_t s,
             cudaStream_t stream) {
  if (n * c * s == 0) return;  // a grid of no blocks is an error
  const unsigned blocks = blocks_for(n * c * s, kThreads);
  bias_activation_forward_kernel<Kind><<<blocks, kThreads, 0, stream>>>(x, bias, out, n, c, s);
}

template <class Kind>
void backward(const float* saved, const float* dout, float* dx, float* dbias, int64_t n, int64_t c,
              int64_t s, cudaStream_t stream) {
  if (c == 0) return;
  const unsigned blocks = blocks_for(c, 1);
  bias_activation_backward_kernel<Kind>
      <<<blocks, kThreads, 0, stream>>>(saved, dout, dx, dbias, n, c, s);
}

}  // namespace

void bias_activation_forward(UnaryKind kind, const float* x, const float* bias, float* out,
                             int64_t n, int64_t c, int64_t s, cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return forward<kinds::kind>(x, bias, out, n, c, s, stream);
    BAREGRAD_ACTIVATION(BAREGRAD_CASE)
#undef BAREGRAD_CASE
    default:
      return;
  }
}

void bias_activation_backward(UnaryKind kind, const float* saved, const float* dout, float* dx,
                              float* dbias, int64_t n, int64_t c, int64_t s, cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return backward<kinds::kind>(saved, dout, dx, dbias, n, c, s, stream);
    BAREGRAD_ACTIVATION(BAREGRAD_CASE)
#undef BAREGRAD_CASE
    default:
      return;
  }
}

}  // namespace baregrad
