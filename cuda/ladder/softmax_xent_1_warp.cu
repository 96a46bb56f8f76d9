// Rung 1: a warp per row, its lanes side by side along it. What they read at once lies in four sectors; the
// sums need shuffles alone. The row is still read three times.
#include <math_constants.h>

#include "../kernels/launch.cuh"

namespace {

using namespace baregrad;

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
__global__ void softmax_xent_warp_kernel(const float* logits, const int64_t* labels,
                                         const float* weight, float* loss, float* dlogits,
                                         int64_t* bad_row, int64_t n, int64_t c) {
  const int lane = threadIdx.x % kWarp;
  const int64_t row = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
  if (row >= n) return;
  const float* x = logits + row * c;
  float* dx = dlogits + row * c;
  const int64_t label = labels[row];
  const float w = weight ? weight[row] : 1.f;
  if (label < 0 || label >= c) {
    for (int64_t j = lane; j < c; j += kWarp) dx[j] = CUDART_NAN_F;
    if (lane > 0) return;
    loss[row] = CUDART_NAN_F;
    keep_smallest(bad_row, row);
    return;
  }
  float largest = -CUDART_INF_F, sum = 0.f;
  for (int64_t j = lane; j < c; j += kWarp) largest = fmaxf(largest, x[j]);
  largest = warp_reduce(largest, Max());
  for (int64_t j = lane; j < c; j += kWarp) sum += expf(x[j] - largest);
  sum = warp_reduce(sum, Sum());
  for (int64_t j = lane; j < c; j += kWarp)
    dx[j] = w * (expf(x[j] - largest) / sum - (j == label ? 1.f : 0.f));
  if (lane == 0) loss[row] = w * (logf(sum) - (x[label] - largest));
}

void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c,
                          cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = unsigned(divide_up(n, kThreads / kWarp));
  softmax_xent_warp_kernel<<<blocks, kThreads, 0, stream>>>(logits, labels, weight, loss, dlogits,
                                                            bad_row, n, c);
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->softmax_xent_forward = softmax_xent_forward;
}
