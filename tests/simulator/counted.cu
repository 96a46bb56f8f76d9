// Accesses whose cost is known by hand. Blocks of 32 threads, which is one warp.
#include <cuda_runtime.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))

__global__ void copy_kernel(const float* x, float* out, int stride) {
  const float value = x[threadIdx.x * stride];  // count: strided
  out[threadIdx.x] = value;                     // count: side by side
}

__global__ void broadcast_kernel(const float* x, float* out) {
  const float value = x[0];  // count: broadcast
  out[threadIdx.x] = value;
}

__global__ void half_kernel(const float* x, float* out) {
  if (threadIdx.x % 2 == 0) out[threadIdx.x] = x[threadIdx.x];  // count: half
}

// Lane i comes here i + 1 times.
__global__ void uneven_kernel(float* out) {
  for (unsigned i = 0; i <= threadIdx.x; ++i) out[32 * i + threadIdx.x] = 1.f;  // count: uneven
}

__global__ void vector_kernel(const float4* x, float4* out) {
  out[threadIdx.x] = x[threadIdx.x];  // count: vector
}

template <int kWidth>
__global__ void column_kernel(const float* x, float* out) {
  __shared__ float tile[32][kWidth];
  for (int row = 0; row < 32; ++row) tile[row][threadIdx.x] = x[32 * row + threadIdx.x];
  __syncthreads();
  float sum = 0;
  for (int column = 0; column < 32; ++column) sum += tile[threadIdx.x][column];  // count: column
  out[threadIdx.x] = sum;
}

__global__ void histogram_kernel(int* out) {
  __shared__ int count[2];
  if (threadIdx.x < 2) count[threadIdx.x] = 0;
  __syncwarp();
  atomicAdd(&count[threadIdx.x % 2], 1);  // count: atomic
  __syncwarp();
  if (threadIdx.x < 2) out[threadIdx.x] = count[threadIdx.x];
}

__global__ void branch_kernel(const float* x, float* out) {
  float value = x[threadIdx.x];
  if (threadIdx.x % 4 == 0) value = value * 3.f + 1.f;  // count: branch
  out[threadIdx.x] = value;
}

EXPORTED void branch(const float* x, float* out, int) { branch_kernel<<<1, 32>>>(x, out); }
EXPORTED void copy(const float* x, float* out, int stride) {
  copy_kernel<<<1, 32>>>(x, out, stride);
}
EXPORTED void broadcast(const float* x, float* out, int) { broadcast_kernel<<<1, 32>>>(x, out); }
EXPORTED void half(const float* x, float* out, int) { half_kernel<<<1, 32>>>(x, out); }
EXPORTED void uneven(const float*, float* out, int) { uneven_kernel<<<1, 32>>>(out); }
EXPORTED void vector(const float* x, float* out, int) {
  vector_kernel<<<1, 32>>>(reinterpret_cast<const float4*>(x), reinterpret_cast<float4*>(out));
}
EXPORTED void column(const float* x, float* out, int padded) {
  if (padded)
    column_kernel<33><<<1, 32>>>(x, out);
  else
    column_kernel<32><<<1, 32>>>(x, out);
}
EXPORTED void histogram(const float*, float* out, int) {
  histogram_kernel<<<1, 32>>>(reinterpret_cast<int*>(out));
}

// One of these, on copies of `inputs` and `outputs` numbers in memory of the device.
EXPORTED int run(void (*kernel)(const float*, float*, int), const float* x, float* out, long inputs,
                 long outputs, int argument) {
  float *device_x, *device_out;
  cudaMalloc(&device_x, inputs * sizeof(float));
  cudaMalloc(&device_out, outputs * sizeof(float));
  cudaMemcpy(device_x, x, inputs * sizeof(float), cudaMemcpyHostToDevice);
  kernel(device_x, device_out, argument);
  const cudaError_t error = cudaGetLastError();
  cudaMemcpy(out, device_out, outputs * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(device_x);
  cudaFree(device_out);
  return error;
}
