// Elementwise choice between two arrays.
#include "strided.cuh"

namespace baregrad {
namespace {

// condition, a, b (...) -> out (...)
__global__ void where_kernel(const uint8_t* condition, Strides condition_strides, const float* a,
                             Strides a_strides, const float* b, Strides b_strides, float* out,
                             Extents extents, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = condition[offset_of(i, extents, condition_strides)]
                 ? a[offset_of(i, extents, a_strides)]
                 : b[offset_of(i, extents, b_strides)];
}

}  // namespace

void where(const uint8_t* condition, Strides condition_strides, const float* a, Strides a_strides,
           const float* b, Strides b_strides, float* out, Extents extents, cudaStream_t stream) {
  const int64_t n = elements(extents);
  if (n == 0) return;
  where_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(
      condition, condition_strides, a, a_strides, b, b_strides, out, extents, n);
}

}  // namespace baregrad
