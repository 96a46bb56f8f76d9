// Elementwise arithmetic of two arrays that broadcast: a formula per kind, and one kernel for all.
#include "fours.cuh"
#include "strided.cuh"

namespace baregrad {
namespace {

namespace kinds {

struct add {
  __device__ static float of(float a, float b) { return a + b; }
};
struct sub {
  __device__ static float of(float a, float b) { return a - b; }
};
struct mul {
  __device__ static float of(float a, float b) { return a * b; }
};
struct div {
  __device__ static float of(float a, float b) { return a / b; }
};
struct pow {
  __device__ static float of(float a, float b) { return powf(a, b); }
};
struct maximum {
  __device__ static float of(float a, float b) { return a > b || a != a ? a : b; }
};
struct minimum {
  __device__ static float of(float a, float b) { return a < b || a != a ? a : b; }
};

}  // namespace kinds

// a, b (...) -> out (...)
template <class Kind>
__global__ void binary_kernel(const float* a, Strides a_strides, const float* b, Strides b_strides,
                              float* out, Extents extents, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = Kind::of(a[offset_of(i, extents, a_strides)], b[offset_of(i, extents, b_strides)]);
}

// a, b (n,) -> out (n,)
template <class Kind>
__global__ void binary_side_by_side_kernel(const float* a, const float* b, float* out, int64_t n) {
  map(n, out, a, b, [](float x, float y) { return Kind::of(x, y); });
}

template <class Kind>
void launch(const float* a, const Strides& a_strides, const float* b, const Strides& b_strides,
            float* out, const Extents& extents, cudaStream_t stream) {
  const int64_t n = elements(extents);
  if (n == 0) return;  // a grid of no blocks is an error
  if (extents.rank == 1 && a_strides.step[0] == 1 && b_strides.step[0] == 1) {
    binary_side_by_side_kernel<Kind><<<blocks_for_fours(n), kThreads, 0, stream>>>(a, b, out, n);
    return;
  }
  binary_kernel<Kind><<<blocks_for(n, kThreads), kThreads, 0, stream>>>(a, a_strides, b, b_strides,
                                                                        out, extents, n);
}

}  // namespace

void binary(BinaryKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
            float* out, Extents extents, cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case binary_##kind:       \
    return launch<kinds::kind>(a, a_strides, b, b_strides, out, extents, stream);
    BAREGRAD_BINARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace baregrad
