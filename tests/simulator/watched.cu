// Wrong kernels whose every access is watched, and beside them right ones that look alike. A line
// that a report must name carries "// fault: <name>".
#include <cuda_runtime.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

__device__ const float kTable[4] = {1.0f, 2.0f, 3.0f, 4.0f};

// Sums what the neighbour in the next warp wrote.
__global__ void neighbour_kernel(const float* x, float* out, bool barrier) {
  __shared__ float row[128];
  const int i = threadIdx.x;
  row[i] = 0.0f;
  __syncthreads();
  row[i] = x[i];
  if (barrier) __syncthreads();
  out[i] = row[(i + 32) % 128];
}

__global__ void count_kernel(int* out, bool atomic) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (atomic)
    atomicAdd(&count, 1);
  else
    count += 1;  // fault: count
  __syncthreads();
  if (threadIdx.x == 0) *out = count;
}

__global__ void mixed_kernel(int* out) {
  __shared__ int largest;
  largest = 0;  // fault: mixed_writes
  __syncthreads();
  atomicMax(&largest, static_cast<int>(threadIdx.x));
  out[threadIdx.x] = largest;
}

// Lanes change places through shared memory.
__global__ void lanes_kernel(const int* x, int* out, bool wait) {
  __shared__ int cells[32];
  const int i = threadIdx.x;
  cells[i] = 0;
  __syncwarp();
  cells[i] = x[i];  // fault: lanes
  if (wait) __syncwarp();
  out[i] = cells[31 - i];
}

// Halves of a warp wait for themselves alone.
__global__ void halves_kernel(const int* x, int* out) {
  __shared__ int cells[32];
  const int i = threadIdx.x;
  cells[i] = 0;
  __syncwarp();
  cells[i] = x[i];
  __syncwarp(i < 16 ? 0x0000ffffu : 0xffff0000u);
  out[i] = cells[(i + 16) % 32];  // fault: halves
}

__global__ void same_cell_kernel(float* out) {
  if (threadIdx.x == 0) out[0] = static_cast<float>(blockIdx.x);  // fault: same_cell
}

// The last block sums what all have left.
__global__ void last_block_kernel(const float* x, float* partial, unsigned* count, float* out,
                                  bool fence) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = x[blockIdx.x];
    if (fence) __threadfence();
    last = atomicInc(count, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  float sum = 0.0f;
  for (unsigned b = 0; b < gridDim.x; ++b) sum += partial[b];  // fault: last_block
  *out = sum;
}

__global__ void scale_kernel(float* x, int n, bool check) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (check && i >= n) return;
  x[i] *= kTable[1];  // fault: scale
}

__global__ void before_kernel(float* x) {
  x[static_cast<int>(threadIdx.x) - 1] = 1.0f;  // fault: before
}

__global__ void read_shared_kernel(const float* x, float* out, int reach) {
  __shared__ float row[33];
  const int i = threadIdx.x;
  row[i] = x[i];
  if (i == 0) row[32] = 0.0f;
  __syncthreads();
  out[i] = row[i + reach];  // fault: read_shared
}

__global__ void write_shared_kernel(int count) {
  extern __shared__ float rows[];
  if (threadIdx.x == 0)
    for (int i = 0; i < count; ++i) rows[i * 64] = 1.0f;  // fault: write_shared
}

__global__ void unwritten_shared_kernel(float* out, bool write) {
  __shared__ float row[64];
  const int i = threadIdx.x;
  if (write || i < 32) row[i] = 1.0f;
  __syncthreads();
  out[i] = row[i];  // fault: unwritten_shared
}

__global__ void copy_kernel(const float* x, float* out) {
  out[threadIdx.x] = x[threadIdx.x];  // fault: copy
}

__global__ void quad_kernel(const float* x, float4* out, int first) {
  const float4* quads = reinterpret_cast<const float4*>(x + first);
  out[threadIdx.x] = quads[threadIdx.x];  // fault: quad
}

__global__ void store_pair_kernel(float2 pair, float* out, int first) {
  *reinterpret_cast<float2*>(out + first) = pair;  // fault: store_pair
}

__global__ void bytes_kernel(unsigned char* out) {
  __shared__ unsigned char cells[64];
  cells[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);  // bytes of a word, no race
  __syncthreads();
  out[threadIdx.x] = cells[63 - threadIdx.x];
}

// The second warp writes what the first waits for.
__global__ void polling_kernel(volatile int* flag, int* out, bool write) {
  if (threadIdx.x == 40 && write) *flag = 1;  // fault: volatile_write
  while (threadIdx.x == 0 && *flag == 0) {    // fault: polling
  }
  out[threadIdx.x] = 1;
}

__global__ void sum_kernel(const float* x, float* out) {
  float v = x[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  if (threadIdx.x == 0) *out = v;
}

}  // namespace

EXPORT void* allocate(long bytes) {
  void* memory = nullptr;
  return cudaMalloc(&memory, static_cast<size_t>(bytes)) == cudaSuccess ? memory : nullptr;
}
EXPORT void release(void* memory) { cudaFree(memory); }
EXPORT void upload(void* to, const void* from, long bytes) {
  cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice);
}
EXPORT void download(void* to, const void* from, long bytes) {
  cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost);
}

EXPORT void neighbour(const float* x, float* out, bool barrier) {
  neighbour_kernel<<<1, 128>>>(x, out, barrier);
}
EXPORT void count(int* out, bool atomic) { count_kernel<<<1, 64>>>(out, atomic); }
EXPORT void mixed(int* out) { mixed_kernel<<<1, 64>>>(out); }
EXPORT void lanes(const int* x, int* out, bool wait) { lanes_kernel<<<1, 32>>>(x, out, wait); }
EXPORT void halves(const int* x, int* out) { halves_kernel<<<1, 32>>>(x, out); }
EXPORT void same_cell(float* out, int blocks) { same_cell_kernel<<<blocks, 32>>>(out); }
EXPORT void last_block(const float* x, float* partial, unsigned* count, float* out, int blocks,
                       bool fence) {
  last_block_kernel<<<blocks, 32>>>(x, partial, count, out, fence);
}
EXPORT void scale(float* x, int n, bool check) { scale_kernel<<<(n + 31) / 32, 32>>>(x, n, check); }
EXPORT void before(float* x) { before_kernel<<<1, 4>>>(x); }
EXPORT void read_shared(const float* x, float* out, int reach) {
  read_shared_kernel<<<1, 32>>>(x, out, reach);
}
EXPORT void write_shared(int count) { write_shared_kernel<<<1, 32, 256>>>(count); }
EXPORT void unwritten_shared(float* out, bool write) {
  unwritten_shared_kernel<<<1, 64>>>(out, write);
}
EXPORT void copy(const float* x, float* out, int n) { copy_kernel<<<1, n>>>(x, out); }
EXPORT void quad(const float* x, float4* out, int first) { quad_kernel<<<1, 4>>>(x, out, first); }
EXPORT void store_pair(float* out, int first) {
  store_pair_kernel<<<1, 1>>>(make_float2(1.0f, 2.0f), out, first);
}
EXPORT void bytes(unsigned char* out) { bytes_kernel<<<1, 64>>>(out); }
EXPORT void polling(volatile int* flag, int* out, bool write) {
  polling_kernel<<<1, 64>>>(flag, out, write);
}
EXPORT void sum(const float* x, float* out) { sum_kernel<<<1, 32>>>(x, out); }
