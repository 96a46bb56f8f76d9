#pragma once
#include "launch.cuh"

// Sums of many floats, the same ones each time and with an error that does not grow with how many.
namespace baregrad {

// Additions in float32 before a sum goes on in float64, which most devices are slow at.
constexpr int kSumDepth = 64;

class RunningSum {
 public:
  __device__ void add(float x) {
    part_ += x;
    if (++count_ < kSumDepth) return;
    total_ += part_;
    part_ = 0.f;
    count_ = 0;
  }
  __device__ double get() const { return total_ + part_; }

 private:
  double total_ = 0;
  float part_ = 0.f;
  int count_ = 0;
};

constexpr int kWarps = kThreads / kWarp;

// The elements of channel `channel` of (n, c, s), one after the other.
struct Channel {
  int64_t channel, c, s;

  // Where element i of the n s is.
  __device__ int64_t place(int64_t i) const {
    const int64_t image = quotient(i, s);
    return (image * c + channel) * s + (i - image * s);
  }
};

// The sum of v over a block of kThreads, in every thread. sums (kWarps,) is in shared memory.
__device__ inline double block_sum(double v, double* sums) {
  v = warp_reduce(v, Sum());
  __syncthreads();  // the sums of the call before have been read
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = v;
  __syncthreads();
  double total = 0;
  for (int warp = 0; warp < kWarps; ++warp) total += sums[warp];
  return total;
}

}  // namespace baregrad
