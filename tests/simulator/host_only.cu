// What a device compiler would refuse, and the simulator must report instead.
#include <cuda_runtime.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

__global__ void inner_kernel() {}

__global__ void nested_kernel() {
  inner_kernel<<<1, 1>>>();  // fault: nested
}

__global__ void throwing_kernel() { throw std::runtime_error("never seen"); }

__global__ void too_large_kernel(float* out) {
  __shared__ float a[8 << 10];
  __shared__ float b[5 << 10];  // fault: too_large
  a[threadIdx.x] = b[threadIdx.x] = 1.0f;
  out[threadIdx.x] = a[0] + b[0];
}

// Where each block ran, how many of them it saw run, and a fault in those from `first_bad` on.
__global__ void where_kernel(long* thread, unsigned* total, unsigned first_bad) {
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(2)) {
  }
  thread[blockIdx.x] = syscall(SYS_gettid);
  atomicAdd(total, blockIdx.x + 1);
  if (blockIdx.x >= first_bad) __trap();
}

}  // namespace

EXPORT void where(long* thread, unsigned* total, unsigned blocks, unsigned first_bad) {
  where_kernel<<<blocks, 1>>>(thread, total, first_bad);
}
EXPORT void nested() { nested_kernel<<<1, 32>>>(); }
EXPORT void throwing() {
  throwing_kernel<<<1, 32>>>();  // fault: throwing
}
EXPORT void too_large(float* out) { too_large_kernel<<<1, 32>>>(out); }
