// A program for the sanitizers: right, or wrong in one way that they and the simulator both see.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>
#include <vector>

constexpr int kTile = 16;

// a (n, n), b (n, n) -> c (n, n), and how many tiles there were
__global__ void product(const float* a, const float* b, float* c, int n, unsigned* tiles) {
  __shared__ float rows[kTile][kTile], columns[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += kTile) {
    rows[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    columns[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum += rows[threadIdx.y][i] * columns[i][threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
  if (threadIdx.x == 0 && threadIdx.y == 0) atomicAdd(tiles, 1u);
}

// Every block adds to one number, for so long that several host threads run them.
__global__ void total(const float* x, float* sum, int n) {
  float mine = 0;
  for (int round = 0; round < 300; ++round)
    for (int i = threadIdx.x; i < n; i += blockDim.x) mine += x[i];
  if (threadIdx.x == 0) *sum += mine;  // fault: blocks
}

__global__ void shifted(const float* x, float* y) {
  y[threadIdx.x + 1] = x[threadIdx.x];  // fault: outside
}

int main(int count, char** words) {
  const char* const what = count > 1 ? words[1] : "right";
  constexpr int n = 256;
  std::vector<float> ones(n * n, 1.0f), out(n * n);
  float *a, *b, *c;
  unsigned* tiles;
  cudaMalloc(&a, n * n * sizeof(float));
  cudaMalloc(&b, n * n * sizeof(float));
  cudaMalloc(&c, n * n * sizeof(float));
  cudaMalloc(&tiles, sizeof(unsigned));
  cudaMemcpy(a, ones.data(), n * n * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(b, ones.data(), n * n * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemset(tiles, 0, sizeof(unsigned));
  cudaMemset(c, 0, n * n * sizeof(float));
  if (std::strcmp(what, "blocks") == 0) total<<<400, 32>>>(a, c, n);
  if (std::strcmp(what, "outside") == 0) shifted<<<1, n>>>(a + n * (n - 1), c + n * (n - 1));
  product<<<dim3(n / kTile, n / kTile), dim3(kTile, kTile)>>>(a, b, c, n, tiles);
  unsigned done = 0;
  cudaMemcpy(&done, tiles, sizeof done, cudaMemcpyDeviceToHost);
  cudaMemcpy(out.data(), c, n * n * sizeof(float), cudaMemcpyDeviceToHost);
  std::printf("%u tiles, the last number %g, %s\n", done, out.back(),
              cudaGetErrorString(cudaGetLastError()));
  return done == n / kTile * n / kTile && out.back() == n ? 0 : 1;
}
