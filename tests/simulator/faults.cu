// Wrong kernels, each in one way. A line that a report must name carries "// fault: <name>".
#include <cuda_runtime.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void divergent_barrier_kernel() {
  if (threadIdx.x < 16) {
    __syncthreads();  // fault: divergent_barrier
  } else {
    __syncthreads();
  }
}

__global__ void deadlock_kernel(int* out) {
  int value = threadIdx.x;
  if (threadIdx.x % 32 < 16) {
    __syncthreads();
  } else {
    value += __shfl_xor_sync(kAll, value, 16);  // fault: deadlock
  }
  out[threadIdx.x] = value;
}

__global__ void read_of_returned_kernel(int* out) {
  const int i = threadIdx.x;
  if (i >= 16) return;
  out[i] = __shfl_xor_sync(kAll, i, 16);  // fault: read_of_returned
}

__global__ void read_outside_mask_kernel(int* out) {
  const int i = threadIdx.x;
  if (i < 16) out[i] = __shfl_sync(0x0000ffffu, i, 20);  // fault: read_outside_mask
}

__global__ void read_of_nobody_kernel(int* out) {
  const int i = threadIdx.x;
  out[i] = __shfl_down_sync(kAll, i, 8);  // fault: read_of_nobody
}

__global__ void own_mask_kernel() {
  __syncwarp(0x0000000fu);  // fault: own_mask
}

__global__ void different_operations_kernel(int* out) {
  const int i = threadIdx.x;
  if (i < 16) {
    out[i] = __shfl_up_sync(kAll, i, 1);  // fault: different_operations
  } else {
    out[i] = __shfl_down_sync(kAll, i, 1);
  }
}

__global__ void different_masks_kernel() {
  __ballot_sync(threadIdx.x == 0 ? kAll : 0x3u, 1);  // fault: different_masks
}

__global__ void width_kernel(int* out) {
  out[threadIdx.x] = __shfl_sync(kAll, 1, 0, 12);  // fault: width
}

__global__ void overrun_kernel(int count) {
  __shared__ int before[8];
  __shared__ float tile[4][4], after[8];  // fault: overrun
  before[threadIdx.x] = after[threadIdx.x] = 0;
  float* cells = &tile[0][0];
  if (threadIdx.x == 0)
    for (int i = 0; i < count; ++i) cells[i] = 1.0f;
}

__global__ void underrun_kernel(int offset) {
  __shared__ float first[8];  // fault: underrun
  float* cells = first;
  cells[(int)threadIdx.x - offset] = 1.0f;
}

__global__ void dynamic_overrun_kernel(int count) {
  extern __shared__ float rows[];  // fault: dynamic_overrun
  if (threadIdx.x == 0)
    for (int i = 0; i < count; ++i) rows[i] = 1.0f;
}

__global__ void spinning_kernel(int* lock) {
  while (atomicCAS(lock, 0, 1) != 0) {  // fault: spinning
  }
}

__global__ void trap_kernel() {
  if (blockIdx.x == 2 && threadIdx.x == 5) __trap();  // fault: trap
}

// Sums what the neighbour in the next warp wrote. Right only if `barrier`.
__global__ void neighbour_kernel(const float* x, float* out, bool barrier) {
  __shared__ float row[128];
  const int i = threadIdx.x;
  row[i] = x[i];
  if (barrier) __syncthreads();
  out[i] = row[(i + 32) % 128];
}

// Right only if the second barrier stands between reading `total` and the next row's writing of it.
__global__ void row_loop_kernel(const float* x, float* out, int rows, bool barrier) {
  __shared__ float total;
  for (int row = 0; row < rows; ++row) {
    if (threadIdx.x == 0) total = x[row];
    __syncthreads();
    out[row * blockDim.x + threadIdx.x] = total;
    if (barrier) __syncthreads();
  }
}

// Reads shared memory that this block never wrote; each block leaves ones behind.
__global__ void unwritten_kernel(float* out) {
  __shared__ float scratch[32];
  extern __shared__ float dynamic[];
  const int i = threadIdx.x;
  out[blockIdx.x * 64 + i] = scratch[i];
  out[blockIdx.x * 64 + 32 + i] = dynamic[i];
  scratch[i] = dynamic[i] = 1.0f;
}

}  // namespace

EXPORT void divergent_barrier() { divergent_barrier_kernel<<<dim3(2, 3), 32>>>(); }
EXPORT void deadlock(int* out) { deadlock_kernel<<<1, 64>>>(out); }
EXPORT void read_of_returned(int* out) { read_of_returned_kernel<<<1, 32>>>(out); }
EXPORT void read_outside_mask(int* out) { read_outside_mask_kernel<<<1, 32>>>(out); }
EXPORT void read_of_nobody(int* out) { read_of_nobody_kernel<<<1, 24>>>(out); }
EXPORT void own_mask() { own_mask_kernel<<<1, 32>>>(); }
EXPORT void different_operations(int* out) { different_operations_kernel<<<1, 32>>>(out); }
EXPORT void different_masks() { different_masks_kernel<<<1, 2>>>(); }
EXPORT void width(int* out) { width_kernel<<<1, 32>>>(out); }
EXPORT void overrun(int count) { overrun_kernel<<<3, 8>>>(count); }
EXPORT void underrun(int offset) { underrun_kernel<<<1, 8>>>(offset); }
EXPORT void dynamic_overrun(int count) { dynamic_overrun_kernel<<<1, 8, 64>>>(count); }
EXPORT void spinning(int* lock) { spinning_kernel<<<1, 64>>>(lock); }
EXPORT void trap() { trap_kernel<<<4, 32>>>(); }
EXPORT void neighbour(const float* x, float* out, bool barrier) {
  neighbour_kernel<<<1, 128>>>(x, out, barrier);
}
EXPORT void row_loop(const float* x, float* out, int rows, bool barrier) {
  row_loop_kernel<<<1, 64>>>(x, out, rows, barrier);
}
EXPORT void unwritten(float* out) { unwritten_kernel<<<3, 32, 128>>>(out); }
EXPORT int dynamic_bytes(unsigned bytes) {
  cudaFuncSetAttribute(dynamic_overrun_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       (int)bytes);
  cudaGetLastError();
  dynamic_overrun_kernel<<<1, 8, bytes>>>(bytes / 4);
  return cudaGetLastError();
}
