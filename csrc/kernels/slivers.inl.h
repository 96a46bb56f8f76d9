#pragma once
// Slivers, some rows of a or columns of b, as tiles read them: where they lie in the matrix, or
// packed, in the order in which they are wanted. Packing turns rows to columns.

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line
constexpr int64_t kTileColumns = kTileVectors * kLanes;
constexpr int64_t kWidest = most(kTileRows, kTileColumns);  // of slivers

// Steps [p, length) of x (rows, length), each row at a place of its own -> to (length, width), zeros
// beyond rows, kStep of them at a time.
template <int64_t kStep>
inline void transpose_from(int64_t p, const float* const* x, int64_t rows, int64_t width,
                           int64_t length, float* to) {
  for (; p + kStep <= length; p += kStep) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4)
#pragma GCC unroll 4
      for (int64_t q = p; q < p + kStep; q += 4) {
        const float* const four[] = {x[r] + q, x[r + 1] + q, x[r + 2] + q, x[r + 3] + q};
        transpose_4x4(four, to + q * width + r, width);
      }
    for (; r < width; ++r)
      for (int64_t q = p; q < p + kStep; ++q) to[q * width + r] = r < rows ? x[r][q] : 0.f;
  }
  if (kStep > 4) return transpose_from<4>(p, x, rows, width, length, to);
  for (; p < length; ++p)
    for (int64_t r = 0; r < width; ++r) to[p * width + r] = r < rows ? x[r][p] : 0.f;
}

// The same of all: a little of every row at a time or, where their lines would evict each other as
// they lie 4 KiB apart, a line of four rows.
inline void transpose(const float* const* x, int64_t rows, int64_t width, int64_t length,
                      float* to) {
  if (rows > 1 && (x[1] - x[0]) % 1024 == 0)
    return transpose_from<kLine>(0, x, rows, width, length, to);
  transpose_from<4>(0, x, rows, width, length, to);
}

// x (rows, columns), rows `step` floats apart -> to (columns, rows), rows `to_step` floats apart
template <int kSize = 8>
inline void transpose_block(int64_t rows, int64_t columns, const float* x, int64_t step, float* to,
                            int64_t to_step) {
  constexpr int kLess = kSize == 8 ? 4 : 1;
  int64_t j = 0;
  for (; j + kSize <= columns; j += kSize) {
    int64_t i = 0;
    for (; i + kSize <= rows; i += kSize) {
      const float *from[kSize], *first = x + i * step + j;
      for (int k = 0; k < kSize; ++k) from[k] = first + k * step;
      float* place = to + j * to_step + i;
      if constexpr (kSize == 8)
        transpose_8x8(from, place, to_step);
      else if constexpr (kSize == 4)
        transpose_4x4(from, place, to_step);
      else
        *place = *first;
    }
    if constexpr (kSize > 1)
      transpose_block<kLess>(rows - i, kSize, x + i * step + j, step, to + j * to_step + i,
                             to_step);
  }
  if constexpr (kSize > 1)
    transpose_block<kLess>(rows, columns - j, x + j, step, to + j * to_step, to_step);
}

// Some rows of a over k, or columns of b: number i at step p is data[i * side + p * step]. Packed, or
// where they lie in the matrix.
struct Sliver {
  const float* data;
  int64_t side, step;
};

// x (n, k) -> sliver (k, width), zeros beyond n to the end of a vector
inline void pack_sliver(Sliver x, int64_t n, int64_t width, int64_t k, float* sliver) {
  if (x.side == 1) {  // already as it is to be
    for (int64_t p = 0; p < k; ++p, x.data += x.step, sliver += width)
      for (int64_t j = 0; j < n; j += kLanes)
        store_upto(sliver + j, load_upto(x.data + j, n - j), width - j);
    return;
  }
  if (x.step == 1) {
    const float* rows[kWidest];
    for (int64_t j = 0; j < n; ++j) rows[j] = x.data + j * x.side;
    return transpose(rows, n, width, k, sliver);
  }
  // A cache line at a time: lines that lie a power of two apart would evict each other.
  for (int64_t p = 0; p < k; p += kLine, x.data += kLine * x.step, sliver += kLine * width) {
    const int64_t depth = least(kLine, k - p);
    for (int64_t j = 0; j < width; ++j)
      for (int64_t q = 0; q < depth; ++q)
        sliver[q * width + j] = j < n ? x.data[j * x.side + q * x.step] : 0.f;
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
