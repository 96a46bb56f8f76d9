// GEMM by tiles: a block computes kTile x kTile outputs, walking along k. Each step brings one tile
// of a and one of b into shared memory, where every element is read kTile times; each thread keeps
// kOutputs x kOutputs sums in registers.
#include "launch.cuh"

namespace baregrad {
namespace {

constexpr int kTile = 64;                // rows and columns of c in a block
constexpr int kDepth = 16;               // along k in shared memory: 2 x 64 x 16 floats are 8 KiB
constexpr int kOutputs = 4;              // a thread's square of c: 8 loads for 16 multiply-adds
constexpr int kSide = kTile / kOutputs;  // 16 x 16 threads
constexpr int64_t kMostTiles = 1 << 20;  // blocks; each goes on to further tiles
constexpr int kPad = 1;  // shifts the columns of a, else 16 threads store to one bank

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
__global__ void __launch_bounds__(kSide* kSide)
    gemm_kernel(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size,
                float alpha, float beta) {
  __shared__ float a_tile[kDepth][kTile + kPad], b_tile[kDepth][kTile];
  const int thread = threadIdx.x, row = thread / kSide, column = thread % kSide;
  const int64_t rows = divide_up(size.m, kTile), columns = divide_up(size.n, kTile);

  for (int64_t tile = blockIdx.x; tile < size.batch * rows * columns; tile += gridDim.x) {
    const int64_t batch = tile / (rows * columns);
    const int64_t i0 = tile / columns % rows * kTile, j0 = tile % columns * kTile;
    const float* a_batch = a.data + batch * a.batch;
    const float* b_batch = b.data + batch * b.batch;

    float sum[kOutputs][kOutputs] = {};
    for (int64_t p0 = 0; p0 < size.k; p0 += kDepth) {
      for (int e = thread; e < kTile * kDepth; e += kSide * kSide) {
        const int64_t i = i0 + e / kDepth, p = p0 + e % kDepth;  // neighbours along k in a,
        a_tile[e % kDepth][e / kDepth] =
            i < size.m && p < size.k ? a_batch[i * a.row + p * a.col] : 0.f;
        const int64_t q = p0 + e / kTile, j = j0 + e % kTile;  // along n in b
        b_tile[e / kTile][e % kTile] =
            q < size.k && j < size.n ? b_batch[q * b.row + j * b.col] : 0.f;
      }
      __syncthreads();
      for (int p = 0; p < kDepth; ++p)
        for (int i = 0; i < kOutputs; ++i)
          for (int j = 0; j < kOutputs; ++j)
            sum[i][j] += a_tile[p][row + i * kSide] * b_tile[p][column + j * kSide];
      __syncthreads();  // the next step overwrites the tiles
    }

    for (int i = 0; i < kOutputs; ++i)
      for (int j = 0; j < kOutputs; ++j) {
        const int64_t y = i0 + row + i * kSide, x = j0 + column + j * kSide;
        if (y >= size.m || x >= size.n) continue;
        float* out = c.data + batch * c.batch + y * c.row + x * c.col;
        const float before = beta != 0.f ? beta * *out : 0.f;  // with beta 0, c may hold NaN
        *out = alpha * sum[i][j] + before + (bias ? bias[x] : 0.f);
      }
  }
}

}  // namespace

int64_t gemm_workspace(GemmSize) { return 0; }

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const int64_t tiles = size.batch * divide_up(size.m, kTile) * divide_up(size.n, kTile);
  if (tiles == 0) return;  // a grid of no blocks is an error
  const unsigned blocks = unsigned(tiles < kMostTiles ? tiles : kMostTiles);
  gemm_kernel<<<blocks, kSide * kSide, 0, stream>>>(a, b, bias, c, size, alpha, beta);
}

}  // namespace baregrad
