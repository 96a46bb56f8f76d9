// The threads of a block as groups.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_runtime.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace cg = cooperative_groups;

namespace {

// x (grid, block) -> out (grid, block): the sum over each tile of kSize, by its first thread; by the last
// one the sum over the block.
template <int kSize>
__global__ void sums_kernel(const float* x, float* out) {
  __shared__ float sums[1024];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<kSize>(block);
  const int place = blockIdx.x * block.size() + block.thread_rank();
  float sum = x[place];
  for (int offset = tile.size() / 2; offset > 0; offset /= 2) sum += tile.shfl_down(sum, offset);
  sum = tile.shfl(sum, 0);
  if (tile.thread_rank() == 0) sums[tile.meta_group_rank()] = sum;
  block.sync();
  float total = 0;
  for (unsigned i = 0; i < tile.meta_group_size(); ++i) total += sums[i];
  out[place] = block.thread_rank() == block.size() - 1 ? total : sum;
}

// x (32,) -> out (5, 32)
__global__ void ask_kernel(const int* x, int* out) {
  const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  const int v = x[threadIdx.x];
  out[threadIdx.x] = tile.ballot(v > 0);
  out[32 + threadIdx.x] = tile.any(v > 2) + 2 * tile.all(v >= 0);
  out[64 + threadIdx.x] = cg::reduce(tile, v, cg::greater<int>());
  if (v > 0) {
    const cg::coalesced_group active = cg::coalesced_threads();
    out[96 + threadIdx.x] = active.thread_rank() + 100 * active.size();
    out[128 + threadIdx.x] = active.shfl(v, active.size() - 1);
    cg::sync(active);
  }
}

__global__ void forgetful_kernel(float* out) {
  const auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  if (threadIdx.x % 16 < 9) return;
  out[threadIdx.x] = tile.shfl(out[threadIdx.x], 3);  // fault: forgetful
}

}  // namespace

EXPORT void sums(const float* x, float* out, int blocks, int threads, int size) {
  if (size == 4)
    sums_kernel<4><<<blocks, threads>>>(x, out);
  else
    sums_kernel<32><<<blocks, threads>>>(x, out);
}
EXPORT void ask(const int* x, int* out) { ask_kernel<<<1, 32>>>(x, out); }
EXPORT void forgetful(float* out) { forgetful_kernel<<<1, 32>>>(out); }
