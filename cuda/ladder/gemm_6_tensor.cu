// Rung 6: tensor cores, whose instruction takes 16 x 8 numbers of a and 8 x 8 of b from a warp, 11 bits of
// each. parts.cuh cuts float32 into such numbers, of whose products the six largest are enough.
#include "parts.cuh"

namespace {

using namespace baregrad;

__global__ void __launch_bounds__(kThreads, 2) gemm_tensor_kernel(Product x) {
  __shared__ __align__(16) float a[kTile][kDepth], b[kDepth][kTile];
  const Place tile(x.size);
  WarpSums sums(x, tile);
  for (int64_t p = 0; p < x.size.k; p += kDepth) {
    for (int e = threadIdx.x; e < kTile * kDepth; e += kThreads) {
      const int i = e / kDepth, d = e % kDepth, q = e / kTile, j = e % kTile;
      a[i][a_place(i, d)] = x.a_at(tile.s, tile.i + i, p + d);
      b[q][b_place(q, j)] = x.b_at(tile.s, p + q, tile.j + j);
    }
    __syncthreads();
    sums.add(a, b);
    __syncthreads();  // before the next tiles
  }
  sums.put();
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
