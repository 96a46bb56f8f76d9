// Rung 0: the place of each element worked out from its number, then the formula of the kind.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

int64_t elements(const Extents& extents) {
  int64_t n = 1;
  for (int axis = 0; axis < extents.rank; ++axis) n *= extents.length[axis];
  return n;
}

// Where element q of an operand is, q counted in row-major order.
int64_t place(int64_t q, const Extents& extents, const Strides& strides) {
  int64_t at = 0;
  for (int axis = extents.rank - 1; axis >= 0; q /= extents.length[axis], --axis)
    at += q % extents.length[axis] * strides.step[axis];
  return at;
}

float formula(BinaryKind kind, float a, float b) {
  switch (kind) {
    case binary_add:
      return a + b;
    case binary_sub:
      return a - b;
    case binary_mul:
      return a * b;
    case binary_div:
      return a / b;
    case binary_pow:
      return float(pow(double(a), double(b)));
    case binary_maximum:
      return a > b || a != a ? a : b;  // NaN if either is
    case binary_minimum:
      return a < b || a != a ? a : b;
  }
  __builtin_unreachable();
}

// a, b (...) -> out (...)
void binary(BinaryKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
            float* out, Extents extents) {
  for (int64_t q = 0; q < elements(extents); ++q)
    out[q] = formula(kind, a[place(q, extents, a_strides)], b[place(q, extents, b_strides)]);
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->binary = binary; }
