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

// The sum of v over every team of a block of kThreads, of which thread t is in team t % teams, in each of
// them. sums (kWarps teams,) is in shared memory.
__device__ inline double block_sum(double v, double* sums, int teams = 1) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int offset = kWarp / 2; offset >= teams; offset /= 2)
    v += __shfl_xor_sync(0xffffffffu, v, offset);
  __syncthreads();  // the sums of the call before have been read
  if (lane < teams) sums[warp * teams + lane] = v;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < kWarps; ++w) total += sums[w * teams + lane % teams];
  return total;
}

}  // namespace baregrad
