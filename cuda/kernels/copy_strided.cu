// Copies between arrays of any strides.
#include "strided.cuh"

namespace baregrad {
namespace {

// x (...) -> out (...)
template <class Item>
__global__ void copy_strided_kernel(const Item* x, Strides x_strides, Item* out,
                                    Strides out_strides, Extents extents, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[offset_of(i, extents, out_strides)] = x[offset_of(i, extents, x_strides)];
}

template <class Item>
void copy_items(const void* x, const Strides& x_strides, void* out, const Strides& out_strides,
                const Extents& extents, cudaStream_t stream) {
  const int64_t n = elements(extents);
  if (n == 0) return;
  copy_strided_kernel<Item><<<blocks_for(n, kThreads), kThreads, 0, stream>>>(
      static_cast<const Item*>(x), x_strides, static_cast<Item*>(out), out_strides, extents, n);
}

}  // namespace

void copy_strided(const void* x, Strides x_strides, void* out, Strides out_strides, Extents extents,
                  int64_t item, cudaStream_t stream) {
  if (item == 1) copy_items<uint8_t>(x, x_strides, out, out_strides, extents, stream);
  if (item == 4) copy_items<uint32_t>(x, x_strides, out, out_strides, extents, stream);
  if (item == 8) copy_items<uint64_t>(x, x_strides, out, out_strides, extents, stream);
}

}  // namespace baregrad
