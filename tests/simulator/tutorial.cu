// A program as tutorials write it: `baregrad sim tests/simulator/tutorial.cu 1000`.
#include <cuda_runtime.h>
#include <device_launch_parameters.h>

#include <cassert>
#include <cstdio>
#include <cstdlib>

#define CHECK(call)                                                       \
  do {                                                                    \
    const cudaError_t error = call;                                       \
    if (error != cudaSuccess) {                                           \
      std::fprintf(stderr, "%s: %s\n", #call, cudaGetErrorString(error)); \
      std::exit(1);                                                       \
    }                                                                     \
  } while (0)

constexpr int kThreads = 128;
__constant__ float weights[3];
__device__ int count;

template <int kReach>
__global__ void __launch_bounds__(kThreads)
    stencil(const float* __restrict__ x, float* __restrict__ y, int n) {
  __shared__ float cells[kThreads + 2 * kReach];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int cell = threadIdx.x; cell < kThreads + 2 * kReach; cell += blockDim.x) {
    const int from = static_cast<int>(blockIdx.x * blockDim.x) + cell - kReach;
    cells[cell] = 0 <= from && from < n ? __ldg(&x[from]) : 0.0f;
  }
  __syncthreads();
  if (i >= n) return;
  float sum = 0;
#pragma unroll
  for (int d = 0; d <= 2 * kReach; ++d) sum += weights[d] * cells[threadIdx.x + d];
  y[i] = sum;
  atomicAdd(&count, 1);
  assert(n > 0);
}

int main(int argc, char** argv) {
  const int n = argc > 1 ? std::atoi(argv[1]) : 300;
  int devices = 0, processors = 0, version = 0, grid = 0, block = 0;
  CHECK(cudaGetDeviceCount(&devices));
  CHECK(cudaSetDevice(devices - 1));
  CHECK(cudaRuntimeGetVersion(&version));
  CHECK(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0));
  CHECK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, stencil<1>));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  std::printf("%s, %d.%d, %d processors\n", properties.name, properties.major, properties.minor,
              processors);

  float *host, *x, *y;
  CHECK(cudaHostAlloc(&host, n * sizeof(float), cudaHostAllocDefault));
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i);
  CHECK(cudaMalloc(&x, n * sizeof(float)));
  CHECK(cudaMalloc(&y, n * sizeof(float)));
  const float three[] = {1, -2, 1};
  CHECK(cudaMemcpyToSymbol(weights, three, sizeof three));
  const int zero = 0;
  CHECK(cudaMemcpyToSymbol(count, &zero, sizeof zero));

  cudaStream_t stream;
  cudaEvent_t begin, end;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  CHECK(cudaMemcpyAsync(x, host, n * sizeof(float), cudaMemcpyHostToDevice, stream));
  CHECK(cudaEventRecord(begin, stream));
  stencil<1><<<(n + kThreads - 1) / kThreads, kThreads, 0, stream>>>(x, y, n);
  CHECK(cudaGetLastError());
  CHECK(cudaEventRecord(end, stream));
  CHECK(cudaStreamSynchronize(stream));
  CHECK(cudaEventQuery(end));
  CHECK(cudaStreamQuery(stream));

  // Two rows of what came out, in rows that are farther apart.
  float* rows;
  std::size_t pitch = 0;
  CHECK(cudaMallocPitch(&rows, &pitch, 100 * sizeof(float), 2));
  CHECK(cudaMemcpy2D(rows, pitch, y, 100 * sizeof(float), 100 * sizeof(float), 2,
                     cudaMemcpyDeviceToDevice));
  CHECK(cudaMemcpy(host, y, n * sizeof(float), cudaMemcpyDeviceToHost));
  float second = 0;
  CHECK(cudaMemcpy(&second, rows + pitch / sizeof(float), sizeof second, cudaMemcpyDeviceToHost));
  int done = 0;
  CHECK(cudaMemcpyFromSymbol(&done, count, sizeof done));
  std::printf("%d of %d done, the first %g, the last %g, the 101st %g\n", done, n, host[0],
              host[n - 1], second);
  CHECK(cudaFree(rows));
  CHECK(cudaFree(x));
  CHECK(cudaFree(y));
  CHECK(cudaFreeHost(host));
  CHECK(cudaStreamDestroy(stream));
  return 0;
}
