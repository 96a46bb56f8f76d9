// Bias and activation in one pass over what a product left; back, a block takes one channel, so that
// dx and dbias come of one pass too.
#include "activations.cuh"
#include "fours.cuh"
#include "sums.cuh"

namespace baregrad {
namespace {

// x (n, c, s), bias (c,) -> out (n, c, s) = f(x + bias)
template <class Kind>
__global__ void bias_activation_forward_kernel(const float* x, const float* bias, float* out,
                                               int64_t total, int64_t c, int64_t s) {
  const bool pixels = s % kFour == 0, channels = s == 1 && c % kFour == 0;
  const auto channel_of = [&](int64_t i) {
    const int64_t plane = quotient(i, s);
    return plane - quotient(plane, c) * c;
  };
  for_fours(
      total, are_aligned(x, bias, out) && (pixels || channels),
      [&](int64_t i) {
        const int64_t channel = channel_of(i);
        float v[kFour], shift[kFour];
        read_four(x + i, v);
        if (channels)
          read_four(bias + channel, shift);
        else
          for (float& each : shift) each = bias[channel];
        for (int e = 0; e < kFour; ++e) v[e] = Kind::forward(v[e] + shift[e], 0.f);
        write_four(out + i, v);
      },
      [&](int64_t i) { out[i] = Kind::forward(x[i] + bias[channel_of(i)], 0.f); });
}

// saved, dout (n, c, s) -> dx (n, c, s), dbias (c,), a block for a channel
template <class Kind>
__global__ void bias_activation_backward_kernel(const float* saved, const float* dout, float* dx,
                                                float* dbias, int64_t n, int64_t c, int64_t s) {
  __shared__ double sums[kWarps];
  for (int64_t channel = blockIdx.x; channel < c; channel += gridDim.x) {
    const Channel here = {channel, c, s};
    RunningSum running;
#pragma unroll 1
    for (int64_t i = threadIdx.x; i < n * s; i += kThreads) {
      const int64_t place = here.place(i);
      const float d = Kind::backward(saved[place], dout[place], 0.f);
      dx[place] = d;
      running.add(d);
    }
    const double sum = block_sum(running.get(), sums);
    if (threadIdx.x == 0) dbias[channel] = float(sum);
  }
}

// The same for s = 1, a block for kWarp channels, which are neighbours in memory
template <class Kind>
__global__ void bias_activation_backward_rows_kernel(const float* saved, const float* dout,
                                                     float* dx, float* dbias, int64_t n,
                                                     int64_t c) {
  __shared__ double sums[kWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int64_t first = int64_t(blockIdx.x) * kWarp; first < c;
       first += int64_t(gridDim.x) * kWarp) {
    const int64_t channel = first + lane;
    RunningSum running;
    for (int64_t i = warp; i < n && channel < c; i += kWarps) {
      const int64_t place = i * c + channel;
      const float d = Kind::backward(saved[place], dout[place], 0.f);
      dx[place] = d;
      running.add(d);
    }
    sums[warp][lane] = running.get();
    __syncthreads();
    double total = 0;
    for (int w = 0; w < kWarps; ++w) total += sums[w][lane];
    if (warp == 0 && channel < c) dbias[channel] = float(total);
    __syncthreads();  // the next channels' sums overwrite these
  }
}

template <class Kind>
void forward(const float* x, const float* bias, float* out, int64_t n, int64_t c, int64_t s,
             cudaStream_t stream) {
  const int64_t total = n * c * s;
  if (total == 0) return;  // a grid of no blocks is an error
  bias_activation_forward_kernel<Kind>
      <<<blocks_for_fours(total), kThreads, 0, stream>>>(x, bias, out, total, c, s);
}

template <class Kind>
void backward(const float* saved, const float* dout, float* dx, float* dbias, int64_t n, int64_t c,
              int64_t s, cudaStream_t stream) {
  if (c == 0) return;
  if (s == 1)
    bias_activation_backward_rows_kernel<Kind>
        <<<blocks_for(c, kWarp), kThreads, 0, stream>>>(saved, dout, dx, dbias, n, c);
  else
    bias_activation_backward_kernel<Kind>
        <<<blocks_for(c, 1), kThreads, 0, stream>>>(saved, dout, dx, dbias, n, c, s);
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
