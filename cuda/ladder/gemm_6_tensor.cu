// Rung 6: tensor cores, whose instruction takes 16 x 8 numbers of a and 8 x 8 of b from a warp, 11 bits of
// each. parts.cuh cuts float32 into such numbers, of whose products the six largest are enough.
#include "parts.cuh"

namespace {

using namespace baregrad;

constexpr int kTile = 64, kDepth = 16;
constexpr int kHeight = 32, kWidth = 16, kWarps = kTile / kWidth;  // of a warp; warps side by side
constexpr int kHigh = kHeight / 16, kWide = kWidth / 8;            // instructions
using Place = Tile<kTile, kTile>;

// Where a number lies in its row of shared memory: what lanes read at once, rows of 4 numbers of a or 8 of b,
// is in different banks.
__device__ int a_place(int row, int depth) { return depth ^ row / 2 % 4 * 4; }
__device__ int b_place(int depth, int column) { return column ^ depth % 4 * 8; }

__global__ void __launch_bounds__(kThreads, 2) gemm_tensor_kernel(Product x) {
  __shared__ __align__(16) float a[kTile][kDepth], b[kDepth][kTile];
  const Place tile(x.size);
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int row = warp / kWarps * kHeight, column = warp % kWarps * kWidth;
  PartSums sums[kHigh][kWide];
  const bool has_outputs = tile.i + row < x.size.m && tile.j + column < x.size.n;
  bool all_have_parts = true;
  for (int64_t p = 0; p < x.size.k; p += kDepth) {
    for (int e = threadIdx.x; e < kTile * kDepth; e += kThreads) {
      const int i = e / kDepth, d = e % kDepth, q = e / kTile, j = e % kTile;
      a[i][a_place(i, d)] = x.a_at(tile.s, tile.i + i, p + d);
      b[q][b_place(q, j)] = x.b_at(tile.s, p + q, tile.j + j);
    }
    __syncthreads();
    for (int q = 0; has_outputs && q < kDepth; q += 8) {
      Parts<4> y[kHigh];
      Parts<2> z[kWide];
      for (int h = 0; h < kHigh; ++h) {
        float four[4];
        const int i = row + h * 16 + lane % 16;
        ptx::load_matrices(four, &a[i][a_place(i, q + lane / 16 * 4)]);
        all_have_parts &= y[h].split(four);
      }
      for (int w = 0; w < kWide; ++w) {
        const int d = q + lane % 4, j = b_place(d, column + w * 8 + lane / 4);
        all_have_parts &= z[w].split({b[d][j], b[d + 4][j]});
      }
#pragma unroll
      for (int h = 0; h < kHigh; ++h)
#pragma unroll
        for (int w = 0; w < kWide; ++w) sums[h][w].add(y[h], z[w]);
    }
    __syncthreads();  // before the next tiles
  }
  if (__syncthreads_or(!all_have_parts)) return put_plain(x, tile);
#pragma unroll
  for (int h = 0; h < kHigh; ++h)
#pragma unroll
    for (int w = 0; w < kWide; ++w)
      sums[h][w].put(x, tile.s, tile.i + row + h * 16, tile.j + column + w * 8);
}

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const unsigned blocks = Place::count(size);
  if (blocks == 0) return;
  gemm_tensor_kernel<<<blocks, kThreads, 0, stream>>>(Product{a, b, bias, c, size, alpha, beta});
}

int64_t gemm_workspace(GemmSize) { return 0; }

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->gemm = gemm;
  table->gemm_workspace = gemm_workspace;
}
