// Elementwise comparison of two arrays that broadcast, into bytes of 0 and 1.
#include "strided.cuh"

namespace baregrad {
namespace {

namespace kinds {

// NaN is unequal to everything and else compares false.
struct eq {
  __device__ static bool of(float a, float b) { return a == b; }
};
struct ne {
  __device__ static bool of(float a, float b) { return a != b; }
};
struct lt {
  __device__ static bool of(float a, float b) { return a < b; }
};
struct le {
  __device__ static bool of(float a, float b) { return a <= b; }
};
struct gt {
  __device__ static bool of(float a, float b) { return a > b; }
};
struct ge {
  __device__ static bool of(float a, float b) { return a >= b; }
};

}  // namespace kinds

// a, b (...) -> out (...)
template <class Kind>
__global__ void compare_kernel(const float* a, Strides a_strides, const float* b, Strides b_strides,
                               uint8_t* out, Extents extents, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = Kind::of(a[offset_of(i, extents, a_strides)], b[offset_of(i, extents, b_strides)]);
}

template <class Kind>
void launch(const float* a, const Strides& a_strides, const float* b, const Strides& b_strides,
            uint8_t* out, const Extents& extents, cudaStream_t stream) {
  const int64_t n = elements(extents);
  if (n == 0) return;  // a grid of no blocks is an error
  compare_kernel<Kind><<<blocks_for(n, kThreads), kThreads, 0, stream>>>(a, a_strides, b, b_strides,
                                                                         out, extents, n);
}

}  // namespace

void compare(CompareKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
             uint8_t* out, Extents extents, cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case compare_##kind:      \
    return launch<kinds::kind>(a, a_strides, b, b_strides, out, extents, stream);
    BAREGRAD_COMPARE(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace baregrad
