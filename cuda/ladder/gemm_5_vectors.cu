// Rung 5: the tile of a is turned, so that the four numbers a thread wants lie side by side, and it reads
// them at once: 2 reads of 16 bytes for 16 multiply-adds. 4 unused columns keep the turned writes apart.
#include "product.cuh"

namespace {

using namespace baregrad;

constexpr int kTile = 64, kDepth = 8, kSide = 16, kPad = 4;
constexpr int kOutputs = kTile / kSide;
using Place = Tile<kTile, kTile>;

__global__ void gemm_vectors_kernel(Product x) {
  __shared__ __align__(16) float a[kDepth][kTile + kPad];
  __shared__ __align__(16) float b[kDepth][kTile];
  const Place tile(x.size);
  const int row = threadIdx.x / kSide * kOutputs, column = threadIdx.x % kSide * kOutputs;
  float sum[kOutputs][kOutputs] = {};
  for (int64_t p = 0; p < x.size.k; p += kDepth) {
    for (int e = threadIdx.x; e < kTile * kDepth; e += kThreads) {
      a[e % kDepth][e / kDepth] = x.a_at(tile.s, tile.i + e / kDepth, p + e % kDepth);
      b[e / kTile][e % kTile] = x.b_at(tile.s, p + e / kTile, tile.j + e % kTile);
    }
    __syncthreads();
    for (int q = 0; q < kDepth; ++q) {
      const float4 y = *reinterpret_cast<const float4*>(&a[q][row]);
      const float4 z = *reinterpret_cast<const float4*>(&b[q][column]);
      const float ys[] = {y.x, y.y, y.z, y.w}, zs[] = {z.x, z.y, z.z, z.w};
      for (int i = 0; i < kOutputs; ++i)
        for (int j = 0; j < kOutputs; ++j) sum[i][j] += ys[i] * zs[j];
    }
    __syncthreads();  // before the next tiles
  }
  for (int i = 0; i < kOutputs; ++i)
    x.put_neighbours(tile.s, tile.i + row + i, tile.j + column, sum[i]);
}

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const unsigned blocks = Place::count(size);
  if (blocks == 0) return;
  gemm_vectors_kernel<<<blocks, kThreads, 0, stream>>>(Product{a, b, bias, c, size, alpha, beta});
}

int64_t gemm_workspace(GemmSize) { return 0; }

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->gemm = gemm;
  table->gemm_workspace = gemm_workspace;
}
