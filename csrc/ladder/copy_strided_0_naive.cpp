// Rung 0: the two places of each element worked out from its number, and its bytes copied.
#include <string.h>

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

// x (...) -> out (...), items of 1, 4 or 8 bytes
void copy_strided(const void* x, Strides x_strides, void* out, Strides out_strides, Extents extents,
                  int64_t item) {
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(out);
  for (int64_t q = 0; q < elements(extents); ++q)
    memcpy(to + place(q, extents, out_strides) * item, from + place(q, extents, x_strides) * item,
           size_t(item));
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->copy_strided = copy_strided; }
