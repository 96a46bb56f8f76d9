// Rung 0: the place of each element worked out from its number, then C's own comparison.
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

bool formula(CompareKind kind, float a, float b) {
  switch (kind) {
    case compare_eq:
      return a == b;
    case compare_ne:
      return a != b;
    case compare_lt:
      return a < b;
    case compare_le:
      return a <= b;
    case compare_gt:
      return a > b;
    case compare_ge:
      return a >= b;
  }
  __builtin_unreachable();
}

// a, b (...) -> out (...)
void compare(CompareKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
             uint8_t* out, Extents extents) {
  for (int64_t q = 0; q < elements(extents); ++q)
    out[q] = formula(kind, a[place(q, extents, a_strides)], b[place(q, extents, b_strides)]);
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->compare = compare; }
