// Rung 7: copies in flight, of four numbers each, past the registers and two steps ahead of their use. A
// quarter of the requests brings as much, and no warp waits for the last of them.
#include "parts.cuh"

namespace {

using namespace baregrad;

constexpr int kStages = 3;

// The first `count` of four numbers that are `step` apart, the others 0.
__device__ void copy_four(float* to, const float* from, int64_t step, int64_t count) {
  if (step == 1 && reinterpret_cast<uintptr_t>(from) % sizeof(float4) == 0)
    return ptx::copy_four_async(to, from, int(max(int64_t(0), min(count, int64_t(4)))));
  for (int e = 0; e < 4; ++e)
    ptx::copy_async(to + e, e < count ? from + e * step : from, e < count);
}

__global__ void __launch_bounds__(kThreads, 2) gemm_copies_kernel(Product x) {
  __shared__ __align__(16) float as[kStages][kTile][kDepth], bs[kStages][kDepth][kTile];
  const Place tile(x.size);
  WarpSums sums(x, tile);
  const auto load = [&](int64_t p) {  // each thread four numbers of a and four of b
    const int i = threadIdx.x / 4, d = threadIdx.x % 4 * 4;
    const int q = threadIdx.x / 16, j = threadIdx.x % 16 * 4;
    const int stage = p / kDepth % kStages;
    if (p < x.size.k) {
      const int64_t y = tile.i + i, z = tile.j + j;
      const int64_t in_a = y < x.size.m ? x.size.k - p - d : 0;
      const int64_t in_b = p + q < x.size.k ? x.size.n - z : 0;
      const float* const from_a = x.a.data + tile.s * x.a.batch + y * x.a.row + (p + d) * x.a.col;
      const float* const from_b = x.b.data + tile.s * x.b.batch + (p + q) * x.b.row + z * x.b.col;
      copy_four(&as[stage][i][a_place(i, d)], in_a > 0 ? from_a : x.a.data, x.a.col, in_a);
      copy_four(&bs[stage][q][b_place(q, j)], in_b > 0 ? from_b : x.b.data, x.b.col, in_b);
    }
    ptx::commit_copies();  // an empty group too, so that as many wait
  };
  load(0);
  load(kDepth);
  for (int64_t p = 0; p < x.size.k; p += kDepth) {
    ptx::wait_for_copies<kStages - 2>();
    __syncthreads();  // everybody's copies are there, and the stage before is free
    load(p + (kStages - 1) * kDepth);
    const auto& a = as[p / kDepth % kStages];
    const auto& b = bs[p / kDepth % kStages];
    sums.add(a, b);
  }
  sums.put();
}

void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const unsigned blocks = Place::count(size);
  if (blocks == 0) return;
  gemm_copies_kernel<<<blocks, kThreads, 0, stream>>>(Product{a, b, bias, c, size, alpha, beta});
}

int64_t gemm_workspace(GemmSize) { return 0; }

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->gemm = gemm;
  table->gemm_workspace = gemm_workspace;
}
