// Softmax and its logarithm: one warp per row, its lanes striding over the classes, so that
// neighbouring lanes read neighbouring floats and sums need shuffles alone.
#include <math_constants.h>

#include "sums.cuh"

namespace baregrad {
namespace {

constexpr int kRows = 4;  // warps, and so rows, of a block

// x (n, c) -> out (n, c), which may be x
template <bool kLog>
__global__ void softmax_forward_kernel(const float* x, float* out, int64_t n, int64_t c) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  // A row is a whole warp's, so the shuffles below stay full.
  for (; row < n; row += int64_t(gridDim.x) * kRows) {
    const float* from = x + row * c;
    float* to = out + row * c;
    // After the largest is taken away exp is at most 1: it cannot overflow.
    float largest = -CUDART_INF_F;
    for (int64_t j = lane; j < c; j += kWarp) largest = fmaxf(largest, from[j]);
    largest = warp_reduce(largest, Max());
    float sum = 0.f;
    for (int64_t j = lane; j < c; j += kWarp) sum += expf(from[j] - largest);
    sum = warp_reduce(sum, Sum());

    const float log_sum = logf(sum);
    for (int64_t j = lane; j < c; j += kWarp) {
      const float z = from[j] - largest;
      to[j] = kLog ? z - log_sum : expf(z) / sum;
    }
  }
}

// saved (n, c), dout (n, c) -> dx (n, c), which may be either
template <bool kLog>
__global__ void softmax_backward_kernel(const float* saved, const float* dout, float* dx, int64_t n,
                                        int64_t c) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  for (; row < n; row += int64_t(gridDim.x) * kRows) {
    const float *y = saved + row * c, *dy = dout + row * c;
    float* to = dx + row * c;
    RunningSum running;
    for (int64_t j = lane; j < c; j += kWarp) running.add(kLog ? dy[j] : y[j] * dy[j]);
    const float sum = float(warp_reduce(running.get(), Sum()));
    for (int64_t j = lane; j < c; j += kWarp)
      to[j] = kLog ? dy[j] - expf(y[j]) * sum : y[j] * (dy[j] - sum);
  }
}

template <bool kLog>
void forward(const float* x, float* out, int64_t n, int64_t c, cudaStream_t stream) {
  if (n * c == 0) return;
  const unsigned blocks = blocks_for(n, kRows);
  softmax_forward_kernel<kLog><<<blocks, kRows * kWarp, 0, stream>>>(x, out, n, c);
}

template <bool kLog>
void backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c,
              cudaStream_t stream) {
  if (n * c == 0) return;
  const unsigned blocks = blocks_for(n, kRows);
  softmax_backward_kernel<kLog><<<blocks, kRows * kWarp, 0, stream>>>(saved, dout, dx, n, c);
}

}  // namespace

void softmax_forward(const float* x, float* out, int64_t n, int64_t c, cudaStream_t stream) {
  forward<false>(x, out, n, c, stream);
}

void log_softmax_forward(const float* x, float* out, int64_t n, int64_t c, cudaStream_t stream) {
  forward<true>(x, out, n, c, stream);
}

void softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c,
                      cudaStream_t stream) {
  backward<false>(saved, dout, dx, n, c, stream);
}

void log_softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c,
                          cudaStream_t stream) {
  backward<true>(saved, dout, dx, n, c, stream);
}

}  // namespace baregrad
