// Elementwise comparison of two arrays that broadcast, into bytes of 0 and 1.
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

namespace kinds {

// Each gives all ones where it holds; NaN is unequal to everything and else compares false.
struct eq {
  static Int of(Vec a, Vec b) { return a == b; }
};
struct ne {
  static Int of(Vec a, Vec b) { return a != b; }
};
struct lt {
  static Int of(Vec a, Vec b) { return a < b; }
};
struct le {
  static Int of(Vec a, Vec b) { return a <= b; }
};
struct gt {
  static Int of(Vec a, Vec b) { return a > b; }
};
struct ge {
  static Int of(Vec a, Vec b) { return a >= b; }
};

}  // namespace kinds

// a, b (...) -> out (...)
template <class Kind>
void map_compare(const float* a, const Strides& a_strides, const float* b, const Strides& b_strides,
                 uint8_t* out, const Extents& extents) {
  const Strides strides[] = {a_strides, b_strides};
  const int64_t a_step = a_strides.step[extents.rank - 1];
  const int64_t b_step = b_strides.step[extents.rank - 1];
  for_rows(extents, strides, kElementwiseGrain,
           [=](int64_t i, const int64_t(&offset)[2], int64_t n) {
             const float *p = a + offset[0], *q = b + offset[1];
             for (int64_t j = 0; j < n; j += kLanes)
               store_bools(out + i + j,
                           Kind::of(load_steps(p + j * a_step, a_step, n - j),
                                    load_steps(q + j * b_step, b_step, n - j)),
                           n - j);
           });
}

void compare(CompareKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
             uint8_t* out, Extents extents) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case compare_##kind:      \
    return map_compare<kinds::kind>(a, a_strides, b, b_strides, out, extents);
    BAREGRAD_COMPARE(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
