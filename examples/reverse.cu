// A block turns 64 numbers round in shared memory. Run it without a GPU: baregrad sim examples/reverse.cu
#include <cstdio>

__global__ void reverse(const float* x, float* y) {
  __shared__ float turned[64];
  turned[63 - threadIdx.x] = x[threadIdx.x];
  __syncthreads();  // without this one a thread reads what another has not written
  y[threadIdx.x] = turned[threadIdx.x];
}

int main() {
  float host[64] = {1}, *x, *y;
  cudaMalloc(&x, sizeof host);
  cudaMalloc(&y, sizeof host);
  cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice);
  reverse<<<1, 64>>>(x, y);
  cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost);
  std::printf("the last is %g\n", host[63]);
  cudaFree(x);
  cudaFree(y);
}
