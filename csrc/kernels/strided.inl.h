#pragma once
// How kernels walk arrays of any strides: the elements in row-major order, a row at a time.

namespace baregrad::BAREGRAD_ISA {
namespace {

inline int64_t elements(const Extents& extents) {
  int64_t n = 1;
  for (int axis = 0; axis < extents.rank; ++axis) n *= extents.length[axis];
  return n;
}

// row(i, offset, n) for the elements of [begin, end), where there are any: elements i to i + n of the
// walk lie in one row. Operand k has the first of them at offset[k], and the others in its steps
// along the innermost axis.
template <int N, class Row>
inline void walk_rows(const Extents& extents, const Strides (&strides)[N], int64_t begin,
                      int64_t end, Row row) {
  const int last = extents.rank - 1;
  int64_t index[kMaxRank], offset[N] = {}, rest = begin;
  for (int axis = last; axis >= 0 && begin < end; --axis) {
    index[axis] = rest % extents.length[axis];
    rest /= extents.length[axis];
    for (int k = 0; k < N; ++k) offset[k] += index[axis] * strides[k].step[axis];
  }
  for (int64_t i = begin; i < end;) {
    const int64_t n = least(extents.length[last] - index[last], end - i);
    row(i, offset, n);
    i += n;
    index[last] += n;
    for (int k = 0; k < N; ++k) offset[k] += n * strides[k].step[last];
    for (int axis = last; axis > 0 && index[axis] == extents.length[axis]; --axis) {
      index[axis] = 0;
      ++index[axis - 1];
      for (int k = 0; k < N; ++k)
        offset[k] += strides[k].step[axis - 1] - extents.length[axis] * strides[k].step[axis];
    }
  }
}

// The same for all elements, on all threads, `grain` at a time.
template <int N, class Row>
inline void for_rows(const Extents& extents, const Strides (&strides)[N], int64_t grain, Row row,
                     int64_t slice = 1) {
  const auto rows = [&](int64_t begin, int64_t end) {
    walk_rows(extents, strides, begin, end, row);
  };
  parallel_for(elements(extents), grain, rows, slice);
}

// Where element i of the walk lies in an operand.
inline int64_t offset_of(int64_t i, const Extents& extents, const Strides& strides) {
  int64_t offset = 0;
  for (int axis = extents.rank - 1; axis > 0; --axis) {
    offset += i % extents.length[axis] * strides.step[axis];
    i /= extents.length[axis];
  }
  return offset + i * strides.step[0];
}

// The first n lanes from p on, `step` apart; the others are anything. 1 <= n, and any n beyond
// kLanes is a whole vector.
inline Vec load_steps(const float* p, int64_t step, int64_t n) {
  if (step == 1) return load_upto(p, n);
  if (step == 0) return broadcast(*p);
  float lane[kLanes] = {};
  if (n >= kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] = p[l * step];
  else
    for (int l = 0; l < n; ++l) lane[l] = p[l * step];
  return load(lane);
}

// The same of bytes, as lanes of all ones where the byte is not 0.
inline Int load_bools(const uint8_t* p, int64_t step, int64_t n) {
  if (step == 1) return widen(load_bytes_upto(p, n)) != 0;
  Bytes bytes = {};
  for (int l = 0; l < least(n, kLanes); ++l) bytes[l] = p[l * step];
  return widen(bytes) != 0;
}

// The first n lanes, each 0 or all ones, to bytes of 0 or 1. Any n beyond kLanes is a whole vector.
inline void store_bools(uint8_t* p, Int v, int64_t n) {
  store_bytes_upto(p, narrow(Bits(v & 1)), n);
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
