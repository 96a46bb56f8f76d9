// Correct kernels: under any schedule each computes what NumPy does.
#include <cuda_runtime.h>
#include <math_constants.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void indices_kernel(int* out) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

// out (threads,): who came when
__global__ void order_kernel(int* count, int* out) {
  out[atomicAdd(count, 1)] = blockIdx.x * blockDim.x + threadIdx.x;
}

// a (n, n), b (n, n) -> c (n, n)
template <int kTile>
__global__ void gemm_kernel(const float* __restrict__ a, const float* __restrict__ b,
                            float* __restrict__ c, int n) {
  __shared__ float a_tile[kTile][kTile + 1], b_tile[kTile][kTile];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * kTile + y, col = blockIdx.x * kTile + x;
  float sum = 0.0f;
  for (int start = 0; start < n; start += kTile) {
    a_tile[y][x] = row < n && start + x < n ? a[row * n + start + x] : 0.0f;
    b_tile[y][x] = start + y < n && col < n ? b[(start + y) * n + col] : 0.0f;
    __syncthreads();
    for (int k = 0; k < kTile; ++k) sum += a_tile[y][k] * b_tile[k][x];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

__device__ __forceinline__ float warp_sum(float value) {
  for (int step = warpSize / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  return value;
}

// x (rows, columns) -> sums (rows,): a block a row, one partial sum a warp in dynamic memory.
__global__ void __launch_bounds__(1024) row_sums_kernel(const float* x, float* sums, int columns) {
  extern __shared__ float partial[];
  __shared__ float total;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += x[blockIdx.x * columns + i];
  sum = warp_sum(sum);
  const int lane = threadIdx.x % warpSize, warp = threadIdx.x / warpSize;
  if (lane == 0) partial[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    const float mine = lane < (int)blockDim.x / warpSize ? partial[lane] : 0.0f;
    const float whole = warp_sum(mine);
    if (lane == 0) total = whole;
  }
  __syncthreads();
  if (threadIdx.x == blockDim.x - 1) sums[blockIdx.x] = total;
}

// value (32,) -> out (4, 32): what __shfl_sync, up, down and xor make of it.
template <typename T>
__global__ void shuffles_kernel(const T* value, T* out, int operand, int width) {
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(kAll, value[lane], operand, width);
  out[32 + lane] = __shfl_up_sync(kAll, value[lane], operand, width);
  out[64 + lane] = __shfl_down_sync(kAll, value[lane], operand, width);
  out[96 + lane] = __shfl_xor_sync(kAll, value[lane], operand, width);
}

// The lower half of the warp talks to itself while the upper half does.
__global__ void half_warps_kernel(int* out) {
  const int lane = threadIdx.x;
  if (lane < 16) {
    out[lane] = __shfl_sync(0x0000ffffu, lane, 3);
  } else {
    out[lane] = __shfl_sync(0xffff0000u, lane, 19);
  }
}

// flags (n,), n threads -> out (7, n)
__global__ void votes_kernel(const int* flags, unsigned* out) {
  const int i = threadIdx.x, n = blockDim.x;
  const int flag = flags[i];
  out[i] = __ballot_sync(kAll, flag);
  out[n + i] = __any_sync(kAll, flag) != 0;
  out[2 * n + i] = __all_sync(kAll, flag) != 0;
  out[3 * n + i] = __syncthreads_count(flag);
  out[4 * n + i] = __syncthreads_and(flag) != 0;
  out[5 * n + i] = __syncthreads_or(flag) != 0;
  if (flag) {
    out[6 * n + i] = __activemask();
  } else {
    out[6 * n + i] = __activemask();
  }
}

// Threads from `first` on return early; the others go on to meet without them.
__global__ void early_return_kernel(int first, int* out) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if ((int)threadIdx.x >= first) return;
  atomicAdd(&count, 1);
  __syncwarp();
  const unsigned voters = __ballot_sync(kAll, 1);
  __syncthreads();
  out[threadIdx.x] = count + (threadIdx.x < 32 ? 1000 * __popc(voters) : 0);
}

// keys (n,) -> bins (16,), total (1,), wide (1,), extremes (2,)
__global__ void histogram_kernel(const int* keys, int n, int* bins, float* total, double* wide,
                                 int* extremes) {
  __shared__ int counts[16];
  if (threadIdx.x < 16) counts[threadIdx.x] = 0;
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    atomicAdd(&counts[keys[i] & 15], 1);
    atomicAdd(total, 1);
    atomicAdd(wide, 0.5);
    atomicMin(&extremes[0], keys[i]);
    atomicMax(&extremes[1], keys[i]);
  }
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], counts[threadIdx.x]);
}

// words: and, or, xor, exchange, compare-and-swap, increment, subtract, 64 bits
__global__ void bit_atomics_kernel(unsigned* words, unsigned long long* wide) {
  const unsigned i = threadIdx.x;
  atomicAnd(&words[0], ~(1u << i));
  atomicOr(&words[1], 1u << i);
  atomicXor(&words[2], 1u << i);
  atomicExch(&words[3], i);
  atomicCAS(&words[4], i, i + 1);
  atomicInc(&words[5], 4);
  atomicSub(&words[6], 2);
  atomicMax(&wide[0], 1ull << i);
  atomicAdd(&wide[1], 1ull << 40);
}

// Threads of different warps take turns behind a lock; the holder waits while it holds it.
__global__ void spin_lock_kernel(int* lock, int* count) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  const int seen = *count;
  __nanosleep(100);
  *count = seen + 1;
  __threadfence();
  atomicExch(lock, 0);
}

__constant__ float kScales[4] = {1.0f, 2.0f, 3.0f, 4.0f};
__device__ float device_offset = 0.5f;

struct __align__(8) Pair {
  float value;
  int index;
};

// x (4 n,) as float4 -> out (4 n,), and a few functions of each number
__global__ void language_kernel(const float4* x, float4* out, float* extra, int n) {
  __shared__ __align__(16) Pair best[32];
  volatile __shared__ int flag;
  const int i = threadIdx.x;
  if (i >= n) return;
  const float4 v = __ldg(&x[i]);
  out[i] = make_float4(v.x * kScales[0], v.y * kScales[1], v.z * kScales[2],
                       v.w * kScales[3] + device_offset);
  best[i] = Pair{max(v.x, v.y), i};
  flag = 1;
  __syncthreads();
  extra[i] = min(best[i].value, CUDART_INF_F) + (flag ? rsqrtf(4.0f) : CUDART_NAN_F);
  extra[n + i] = __int_as_float(__float_as_int(v.z)) + __popc(255) + __clz(1) + __ffs(8);
  extra[2 * n + i] = __fmaf_rn(v.x, 2.0f, 1.0f) + __umulhi(0x80000000u, 6u) + fmaxf(0.0f, -1.0f);
  extra[3 * n + i] = __expf(__logf(2.0f)) + __fdividef(v.y, 2.0f) + max(1, 2u) + min(3.0, 2.5f);
}

}  // namespace

EXPORT int indices(int* out) {
  indices_kernel<<<dim3(3, 2, 2), dim3(5, 3, 2)>>>(out);
  return cudaGetLastError();
}

EXPORT int order(int* count, int* out, int blocks, int threads) {
  order_kernel<<<blocks, threads>>>(count, out);
  return cudaGetLastError();
}

EXPORT int gemm(const float* a, const float* b, float* c, int n, int tile) {
  const auto blocks = [&](int size) { return (n + size - 1) / size; };
  if (tile == 8) {
    gemm_kernel<8><<<dim3(blocks(8), blocks(8)), dim3(8, 8)>>>(a, b, c, n);
  } else {
    gemm_kernel<16><<<dim3(blocks(16), blocks(16)),  // a launch over several lines
                      dim3(16, 16), 0, nullptr>>>(a, b, c, n);
  }
  return cudaGetLastError();
}

EXPORT int row_sums(const float* x, float* sums, int rows, int columns, int threads) {
  const size_t shared_bytes = threads / 32 * sizeof(float);
  row_sums_kernel<<<rows, threads, shared_bytes>>>(x, sums, columns);
  return cudaGetLastError();
}

EXPORT int shuffles_float(const float* value, float* out, int operand, int width) {
  shuffles_kernel<<<1, 32>>>(value, out, operand, width);
  return cudaGetLastError();
}

EXPORT int shuffles_double(const double* value, double* out, int operand, int width) {
  shuffles_kernel<double><<<1, 32>>>(value, out, operand, width);
  return cudaGetLastError();
}

EXPORT int half_warps(int* out) {
  half_warps_kernel<<<1, 32>>>(out);
  return cudaGetLastError();
}

EXPORT int votes(const int* flags, unsigned* out, int threads) {
  votes_kernel<<<1, threads>>>(flags, out);
  return cudaGetLastError();
}

EXPORT int early_return(int first, int* out, int threads) {
  early_return_kernel<<<1, threads>>>(first, out);
  return cudaGetLastError();
}

EXPORT int histogram(const int* keys, int n, int* bins, float* total, double* wide, int* extremes) {
  histogram_kernel<<<(n + 63) / 64, 64>>>(keys, n, bins, total, wide, extremes);
  return cudaGetLastError();
}

EXPORT int bit_atomics(unsigned* words, unsigned long long* wide) {
  bit_atomics_kernel<<<1, 32>>>(words, wide);
  return cudaGetLastError();
}

EXPORT int spin_lock(int* lock, int* count) {
  spin_lock_kernel<<<1, 96>>>(lock, count);
  return cudaGetLastError();
}

EXPORT int language(const float* x, float* out, float* extra, int n) {
  language_kernel<<<1, 32>>>((const float4*)x, (float4*)out, extra, n);
  return cudaGetLastError();
}

// Each argument of a launch is evaluated once, not once a thread.
EXPORT int argument_evaluations() {
  int evaluations = 0;
  int* out = nullptr;
  if (cudaMalloc(&out, 60 * 12 * sizeof(int)) != cudaSuccess) return -1;
  const auto counted = [&](int* pointer) {
    ++evaluations;
    return pointer;
  };
  indices_kernel<<<dim3(3, 2, 2), dim3(5, 3, 2)>>>(counted(out));
  cudaFree(out);
  return evaluations;
}

// Memory of the device, there and back, through a stream of its own.
EXPORT int round_trip(const float* from, float* to, int n) {
  cudaStream_t stream = nullptr;
  float *first = nullptr, *second = nullptr;
  const size_t bytes = n * sizeof(float);
  cudaStreamCreate(&stream);
  cudaMalloc(&first, bytes);
  cudaMallocAsync(&second, bytes, stream);
  cudaMemcpyAsync(first, from, bytes, cudaMemcpyHostToDevice, stream);
  cudaMemcpy(second, first, bytes / 2, cudaMemcpyDeviceToDevice);  // the rest is never written
  cudaMemcpyAsync(to, second, bytes, cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize(stream);
  cudaFree(first);
  cudaFreeAsync(second, stream);
  cudaStreamDestroy(stream);
  return cudaDeviceSynchronize();
}

// The left `width` columns of a matrix of `columns`.
EXPORT int left_columns(const float* from, float* to, int rows, int columns, int width) {
  const size_t row_bytes = width * sizeof(float);
  return cudaMemcpy2DAsync(to, row_bytes, from, columns * sizeof(float), row_bytes, rows,
                           cudaMemcpyDefault, nullptr);
}

EXPORT int allocate(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes);
  cudaFree(memory);
  return error;
}

EXPORT int launch_shape(const unsigned* grid, const unsigned* block, size_t shared_bytes) {
  int* out = nullptr;
  cudaMalloc(&out, 4096 * sizeof(int));
  const dim3 blocks(grid[0], grid[1], grid[2]), threads(block[0], block[1], block[2]);
  half_warps_kernel<<<blocks, threads, shared_bytes>>>(out);  // line: launched
  cudaFree(out);
  return cudaGetLastError();
}
