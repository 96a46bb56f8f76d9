// Cross-entropy of softmax(logits): one warp per row, its lanes striding over the classes, so that
// neighbouring lanes read neighbouring floats and sums need shuffles alone.
#include <math_constants.h>

#include "launch.cuh"

namespace baregrad {
namespace {

constexpr int kRows = 4;  // warps, and so rows, of a block

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
__global__ void softmax_xent_forward_kernel(const float* logits, const int64_t* labels,
                                            const float* weight, float* loss, float* dlogits,
                                            int64_t* bad_row, int64_t n, int64_t c) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  // A row is a whole warp's, so the shuffles below stay full.
  for (; row < n; row += int64_t(gridDim.x) * kRows) {
    const float* x = logits + row * c;
    float* dx = dlogits + row * c;
    const int64_t label = labels[row];
    const float w = weight ? weight[row] : 1.f;

    // The host cannot see labels that live here: a bad one is reported, and reads nothing.
    if (label < 0 || label >= c) {
      for (int64_t j = lane; j < c; j += kWarp) dx[j] = CUDART_NAN_F;
      if (lane == 0) {
        loss[row] = CUDART_NAN_F;
        keep_smallest(bad_row, row);
      }
      continue;
    }

    // After the largest is taken away exp is at most 1: it cannot overflow.
    float largest = -CUDART_INF_F;
    for (int64_t j = lane; j < c; j += kWarp) largest = fmaxf(largest, x[j]);
    largest = warp_reduce(largest, Max());

    float sum = 0.f;
    for (int64_t j = lane; j < c; j += kWarp) sum += expf(x[j] - largest);
    sum = warp_reduce(sum, Sum());

    for (int64_t j = lane; j < c; j += kWarp) {
      const float softmax = expf(x[j] - largest) / sum;
      dx[j] = w * (softmax - (j == label ? 1.f : 0.f));
    }
    // log(sum) - (x - max), never log(softmax), which underflows for a confidently wrong row.
    if (lane == 0) loss[row] = w * (logf(sum) - (x[label] - largest));
  }
}

// saved (n, c), dloss (n,) -> dlogits (n, c)
__global__ void softmax_xent_backward_kernel(const float* saved, const float* dloss, float* dlogits,
                                             int64_t n, int64_t c) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n * c; i += stride)
    dlogits[i] = saved[i] * dloss[i / c];
}

}  // namespace

void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c,
                          cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for(n, kRows);
  softmax_xent_forward_kernel<<<blocks, kRows * kWarp, 0, stream>>>(logits, labels, weight, loss,
                                                                    dlogits, bad_row, n, c);
}

void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits, int64_t n,
                           int64_t c, cudaStream_t stream) {
  if (n * c == 0) return;
  const unsigned blocks = blocks_for(n * c, kThreads);
  softmax_xent_backward_kernel<<<blocks, kThreads, 0, stream>>>(saved, dloss, dlogits, n, c);
}

}  // namespace baregrad
