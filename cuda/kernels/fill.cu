// One value everywhere.
#include "strided.cuh"

namespace baregrad {
namespace {

// value -> out (...)
template <class Item>
__global__ void fill_kernel(Item* out, Strides out_strides, Extents extents, Item value,
                            int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[offset_of(i, extents, out_strides)] = value;
}

template <class Item>
void fill_items(void* out, const Strides& out_strides, const Extents& extents, uint64_t bits,
                cudaStream_t stream) {
  const int64_t n = elements(extents);
  if (n == 0) return;
  fill_kernel<Item><<<blocks_for(n, kThreads), kThreads, 0, stream>>>(
      static_cast<Item*>(out), out_strides, extents, Item(bits), n);
}

}  // namespace

void fill(void* out, Strides out_strides, Extents extents, uint64_t bits, int64_t item,
          cudaStream_t stream) {
  if (item == 1) fill_items<uint8_t>(out, out_strides, extents, bits, stream);
  if (item == 4) fill_items<uint32_t>(out, out_strides, extents, bits, stream);
  if (item == 8) fill_items<uint64_t>(out, out_strides, extents, bits, stream);
}

}  // namespace baregrad
