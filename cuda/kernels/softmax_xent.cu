// Cross-entropy of softmax(logits). A row stays on the chip from its only read to its only write: up to
// 1024 classes in the registers of a warp, longer ones in the shared memory of a block.
#include <math_constants.h>

#include "fours.cuh"

namespace baregrad {
namespace {

constexpr int kRows = 4;                      // warps, and so rows, of a block
constexpr int kMostEach = 32;                 // classes that a lane keeps
constexpr int kMostShared = (200 << 10) / 4;  // floats; sm_75 has a third of it
constexpr int kAlways = 32 << 10;             // bytes: every device lets a block have 48 Ki
constexpr int kBlockWarps = kThreads / kWarp;

struct Rows {
  const float* logits;  // (n, c)
  const int64_t* labels;
  const float* weight;  // (n,) or null
  float *loss, *dlogits;
  int64_t* bad_row;
  int64_t n, c;

  // The host cannot see labels that live on the device: a bad one is reported, and reads nothing.
  __device__ bool is_bad(int64_t row) const { return labels[row] < 0 || labels[row] >= c; }
  __device__ void report(int64_t row) const {
    loss[row] = CUDART_NAN_F;
    keep_smallest(bad_row, row);
  }
  __device__ float scale(int64_t row) const { return weight ? weight[row] : 1.f; }
  // log(sum) - (x - max), never log(softmax), which underflows for a confidently wrong row.
  __device__ float loss_of(int64_t row, float sum, float largest) const {
    return scale(row) * (logf(sum) - (logits[row * c + labels[row]] - largest));
  }
};

// A warp for each row of at most 32 kEach classes, of which a lane has every 32nd.
template <int kEach>
__global__ void softmax_xent_forward_kernel(Rows rows) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  // A row is a whole warp's, so the shuffles below stay full.
  for (; row < rows.n; row += int64_t(gridDim.x) * kRows) {
    float* const dx = rows.dlogits + row * rows.c;
    const int count = int(rows.c);
    if (rows.is_bad(row)) {
      for (int j = lane; j < count; j += kWarp) dx[j] = CUDART_NAN_F;
      if (lane == 0) rows.report(row);
      continue;
    }
    float x[kEach], largest = -CUDART_INF_F, sum = 0.f;
    for (int e = 0; e < kEach; ++e) {
      const int j = lane + e * kWarp;
      x[e] = j < count ? rows.logits[row * rows.c + j] : -CUDART_INF_F;
    }
    for (int e = 0; e < kEach; ++e) largest = fmaxf(largest, x[e]);
    largest = warp_reduce(largest, Max());
    // After the largest is taken away exp is at most 1: it cannot overflow.
    for (int e = 0; e < kEach; ++e) {
      x[e] = lane + e * kWarp < count ? expf(x[e] - largest) : 0.f;
      sum += x[e];
    }
    sum = warp_reduce(sum, Sum());
    const float w = rows.scale(row), share = 1.f / sum;
    for (int e = 0; e < kEach; ++e) {
      const int j = lane + e * kWarp;
      if (j < count) dx[j] = w * (x[e] * share - (j == rows.labels[row] ? 1.f : 0.f));
    }
    if (lane == 0) rows.loss[row] = rows.loss_of(row, sum, largest);
  }
}

// The combination of v over the block, in every thread.
template <class Combine>
__device__ inline float block_reduce(float v, float* totals, Combine combine) {
  v = warp_reduce(v, combine);
  __syncthreads();  // the totals of the call before have been read
  if (threadIdx.x % kWarp == 0) totals[threadIdx.x / kWarp] = v;
  __syncthreads();
  v = totals[0];
  for (int warp = 1; warp < kBlockWarps; ++warp) v = combine(v, totals[warp]);
  return v;
}

// A block for each row, of which it keeps the first `kept` classes; further ones are read again.
__global__ void softmax_xent_forward_long_kernel(Rows rows, int64_t kept) {
  extern __shared__ float row_here[];
  __shared__ float totals[kBlockWarps];
  for (int64_t row = blockIdx.x; row < rows.n; row += gridDim.x) {
    const float* const logits = rows.logits + row * rows.c;
    float* const dx = rows.dlogits + row * rows.c;
    if (rows.is_bad(row)) {
      for (int64_t j = threadIdx.x; j < rows.c; j += kThreads) dx[j] = CUDART_NAN_F;
      if (threadIdx.x == 0) rows.report(row);
      continue;
    }
    float largest = -CUDART_INF_F, sum = 0.f;
    for (int64_t j = threadIdx.x; j < rows.c; j += kThreads) {
      const float x = logits[j];
      if (j < kept) row_here[j] = x;  // which this thread alone will read
      largest = fmaxf(largest, x);
    }
    largest = block_reduce(largest, totals, Max());
    for (int64_t j = threadIdx.x; j < rows.c; j += kThreads)
      sum += expf((j < kept ? row_here[j] : logits[j]) - largest);
    sum = block_reduce(sum, totals, Sum());
    const float w = rows.scale(row);
    if (threadIdx.x == 0) rows.loss[row] = rows.loss_of(row, sum, largest);
    for (int64_t j = threadIdx.x; j < rows.c; j += kThreads) {
      const float softmax = expf((j < kept ? row_here[j] : logits[j]) - largest) / sum;
      dx[j] = w * (softmax - (j == rows.labels[row] ? 1.f : 0.f));
    }
  }
}

// saved (n, c), dloss (n,) -> dlogits (n, c)
__global__ void softmax_xent_backward_kernel(const float* saved, const float* dloss, float* dlogits,
                                             int64_t n, int64_t c) {
  for_fours(
      n * c, c % kFour == 0 && are_aligned(saved, dlogits),
      [&](int64_t i) {
        const float up = dloss[i / c];  // of all four
        float v[kFour];
        read_four(saved + i, v);
        for (float& each : v) each *= up;
        write_four(dlogits + i, v);
      },
      [&](int64_t i) { dlogits[i] = saved[i] * dloss[i / c]; });
}

// Floats that a block may keep: as many as wanted, or as the device lets it have.
int most_shared() {
  for (int bytes = kMostShared * 4; bytes > kAlways; bytes -= kAlways / 4) {
    if (cudaFuncSetAttribute(softmax_xent_forward_long_kernel,
                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) == cudaSuccess)
      return bytes / 4;
    cudaGetLastError();  // that was the answer
  }
  return kAlways / 4;
}

template <int kEach>
void forward(const Rows& rows, cudaStream_t stream) {
  softmax_xent_forward_kernel<kEach><<<blocks_for(rows.n, kRows), kRows * kWarp, 0, stream>>>(rows);
}

}  // namespace

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c,
                          cudaStream_t stream) {
  if (n == 0) return;
  const Rows rows = {logits, labels, weight, loss, dlogits, bad_row, n, c};
  if (c <= kWarp) return forward<1>(rows, stream);
  if (c <= 4 * kWarp) return forward<4>(rows, stream);
  if (c <= 12 * kWarp) return forward<12>(rows, stream);
  if (c <= kMostEach * kWarp) return forward<kMostEach>(rows, stream);
  static const int shared = most_shared();
  const int64_t kept = c < shared ? c : shared;
  softmax_xent_forward_long_kernel<<<blocks_for(n, 1), kThreads, size_t(kept) * sizeof(float),
                                     stream>>>(rows, kept);
}

void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits, int64_t n,
                           int64_t c, cudaStream_t stream) {
  if (n * c == 0) return;
  softmax_xent_backward_kernel<<<blocks_for_fours(n * c), kThreads, 0, stream>>>(saved, dloss,
                                                                                 dlogits, n, c);
}

}  // namespace baregrad
