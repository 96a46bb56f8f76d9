// Elementwise choice between two arrays.
#include "rows.inl.h"
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// condition, a, b (...) -> out (...)
void where(const uint8_t* condition, Strides condition_strides, const float* a, Strides a_strides,
           const float* b, Strides b_strides, float* out, Extents extents) {
  const Strides strides[] = {condition_strides, a_strides, b_strides};
  const int last = extents.rank - 1;
  const int64_t c_step = condition_strides.step[last];
  const int64_t a_step = a_strides.step[last], b_step = b_strides.step[last];
  const bool past = outgrow_caches(out, elements(extents));
  for_rows(extents, strides, kElementwiseGrain,
           [=](int64_t i, const int64_t(&offset)[3], int64_t n) {
             const uint8_t* c = condition + offset[0];
             const float *p = a + offset[1], *q = b + offset[2];
             for_vectors(0, n, past && i % kLanes == 0, [=](auto lanes, int64_t j) {
               const Int holds = load_bools(c + j * c_step, c_step, n - j);
               const Vec x = load_steps(p + j * a_step, a_step, n - j);
               const Vec y = load_steps(q + j * b_step, b_step, n - j);
               lanes.write(out + i + j, holds ? x : y);
             });
           });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
