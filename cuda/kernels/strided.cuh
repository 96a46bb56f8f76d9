#pragma once
#include "launch.cuh"

// How kernels walk arrays of any strides: the elements in row-major order, one for each thread.
namespace baregrad {

__host__ __device__ inline int64_t elements(const Extents& extents) {
  int64_t n = 1;
  for (int axis = 0; axis < kMaxRank; ++axis)  // unrolled, as below
    if (axis < extents.rank) n *= extents.length[axis];
  return n;
}

// Where element i of the walk lies in an operand.
__device__ inline int64_t offset_of(int64_t i, const Extents& extents, const Strides& strides) {
  int64_t offset = 0;
  // Over all axes that there may be: unrolled, so that the arrays stay in constant memory.
  for (int axis = kMaxRank - 1; axis > 0; --axis) {
    if (axis >= extents.rank) continue;
    offset += i % extents.length[axis] * strides.step[axis];
    i /= extents.length[axis];
  }
  return offset + i * strides.step[0];
}

}  // namespace baregrad
