// The same numbers as another type.
#include "launch.cuh"

namespace baregrad {
namespace {

template <class T>
constexpr bool kIsFloat = T(0.5f) == 0.5f;
template <class T>
constexpr bool kIsBool = T(2) == T(1);

// A float that no integer of this type can hold becomes the nearest one, and NaN 0: C++ leaves such
// a conversion undefined.
template <class From, class To>
__device__ inline To converted(From x) {
  if constexpr (kIsFloat<From> && !kIsFloat<To> && !kIsBool<To>) {
    constexpr bool kSigned = To(-1) < To(0);
    constexpr int kBits = int(sizeof(To)) * 8 - kSigned;
    constexpr From kEnd = From(uint64_t(1) << (kBits - 1)) * 2;  // the first integer too large
    constexpr To kMost = To(~uint64_t(0) >> (64 - kBits)), kLeast = kSigned ? To(~kMost) : To(0);
    if (x >= kEnd) return kMost;
    if (x <= (kSigned ? -kEnd : From(0))) return kLeast;
    return x == x ? To(x) : To(0);
  } else {
    return To(x);  // to bool: whether it is not 0
  }
}

// x (n,) -> out (n,)
template <class From, class To>
__global__ void cast_kernel(const From* x, To* out, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = converted<From, To>(x[i]);
}

template <class From>
void cast_from(const From* x, void* out, NumberType to, int64_t n, cudaStream_t stream) {
  const unsigned blocks = blocks_for(n, kThreads);
  switch (to) {
#define BAREGRAD_CASE(name, type)                                                            \
  case number_##name:                                                                        \
    cast_kernel<From, type><<<blocks, kThreads, 0, stream>>>(x, static_cast<type*>(out), n); \
    break;
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace

void cast(const void* x, NumberType from, void* out, NumberType to, int64_t n,
          cudaStream_t stream) {
  if (n == 0) return;
  switch (from) {
#define BAREGRAD_CASE(name, type) \
  case number_##name:             \
    return cast_from(static_cast<const type*>(x), out, to, n, stream);
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace baregrad
