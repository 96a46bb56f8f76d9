#pragma once
#include "vector.h"

// What the rung of Winograd's algorithm F(4x4, 3x3) is made of: transforms of tiles, filters and sums,
// and the products between them. A transform works on as many tiles at once as a vector has lanes.
namespace {

constexpr int64_t kOut = 4, kIn = 6, kPlaces = kIn * kIn;  // pixels of a tile along an axis
constexpr int64_t kLongest = 8;                            // tiles transformed at once, at most

// Along one axis 4 outputs of 3 taps g are A' (G g * B' d), of 6 inputs d, * place by place, with
//        4  0 -5  0  1  0         1/4     0     0
//        0 -4 -4  1  1  0        -1/6  -1/6  -1/6         1  1  1  1  1  0
//   B' = 0  4 -4 -1  1  0    G = -1/6   1/6  -1/6    A' = 0  1 -1  2 -2  0
//        0 -2 -1  2  1  0        1/24  1/12   1/6         0  1  1  4  4  0
//        0  2 -1 -2  1  0        1/24 -1/12   1/6         0  1 -1  8 -8  1
//        0  4  0 -5  0  1           0     0     1
// The six places are points where the polynomials with these coefficients are multiplied: 0, 1, -1,
// 2, -2 and infinity. ' is the transpose: from the gradients y of 4 outputs, that of the taps is
// G' (A y * B' d). Each function does one axis, of numbers `step` apart: for two, columns, then rows.
void transform_filter(const Vec* g, int64_t step, Vec* to, int64_t to_step) {
  const Vec even = g[0] + g[2 * step], wide = 0.25f * g[0] + g[2 * step];
  to[0] = 0.25f * g[0];
  to[to_step] = (-1 / 6.f) * (even + g[step]);
  to[2 * to_step] = (-1 / 6.f) * (even - g[step]);
  to[3 * to_step] = (1 / 6.f) * (wide + 0.5f * g[step]);
  to[4 * to_step] = (1 / 6.f) * (wide - 0.5f * g[step]);
  to[5 * to_step] = g[2 * step];
}

void transform_tile(const Vec* d, int64_t step, Vec* to, int64_t to_step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step];
  const Vec d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Vec even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
  to[0] = 4 * d0 - 5 * d2 + d4;
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = near + far;
  to[4 * to_step] = near - far;
  to[5 * to_step] = 4 * d1 - 5 * d3 + d5;
}

void transform_gradient(const Vec* y, int64_t step, Vec* to, int64_t to_step) {
  const Vec y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
  const Vec even = y0 + y2, odd = y1 + y3, wide = y0 + 4 * y2, far = 2 * y1 + 8 * y3;
  to[0] = y0;
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = wide + far;
  to[4 * to_step] = wide - far;
  to[5 * to_step] = y3;
}

// Sums (6,) -> outputs (4,), in their place
void transform_back(Vec* m, int64_t step) {
  const Vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
  const Vec wide = m[3 * step] + m[4 * step], apart = m[3 * step] - m[4 * step];
  m[0] += sum + wide;
  m[step] = difference + 2 * apart;
  m[2 * step] = sum + 4 * wide;
  m[3 * step] = difference + 8 * apart + m[5 * step];
}

// Sums (6,) -> gradients of taps (3,), in their place
void transform_taps(Vec* m, int64_t step) {
  const Vec sum = m[step] + m[2 * step], difference = m[2 * step] - m[step];
  const Vec wide = m[3 * step] + m[4 * step], apart = m[3 * step] - m[4 * step];
  m[0] = 0.25f * m[0] + (-1 / 6.f) * sum + (1 / 24.f) * wide;
  m[step] = (1 / 6.f) * difference + (1 / 12.f) * apart;
  m[2 * step] = (1 / 6.f) * (wide - sum) + m[5 * step];
}

// Below it no sum on the way, of products of two of them and 2^35 times as large at most, is infinite:
// infinities would become NaN.
constexpr float kModerate = 0x1p46f;

typedef int Mask __attribute__((vector_size(4 * kLanes)));
inline Mask is_moderate(Vec x) { return (x < kModerate) & (x > -kModerate); }

bool all(Mask mask) {
  for (int64_t l = 0; l < kLanes; ++l)
    if (!mask[l]) return false;
  return true;
}

bool are_moderate(const float* x, int64_t n) {
  int64_t large = 0;
  for (int64_t i = 0; i < n; ++i) large += !(__builtin_fabsf(x[i]) < kModerate);
  return large == 0;
}

// Pixels [x, x + columns) of a row of w in the plane of each lane -> to (columns,), 0 outside
void stack_row(const float* const* row, int64_t w, int64_t x, int64_t columns, Vec* to) {
  const int64_t begin = least(columns, x < 0 ? -x : 0), end = least(columns, w - x);
  for (int64_t c = 0; c < begin; ++c) to[c] = Vec{};
  for (int64_t c = end; c < columns; ++c) to[c] = Vec{};
  if (end - begin < 4) {
    for (int64_t c = begin; c < end; ++c)
      for (int64_t l = 0; l < kLanes; ++l) to[c][l] = row[l][x + c];
    return;
  }
  for (int64_t next = begin; next < end; next += 4) {
    const int64_t c = least(next, end - 4);  // the last may be some of those before again
    for (int64_t l = 0; l < kLanes; l += 4) {
      const float* const four[] = {row[l] + x + c, row[l + 1] + x + c, row[l + 2] + x + c,
                                   row[l + 3] + x + c};
      transpose_4x4(four, reinterpret_cast<float*>(to + c) + l, kLanes);
    }
  }
}

// A plane, h x w, for each lane, `step` apart. Only `there` of them exist: lanes beyond have the last.
struct Planes {
  const float* lane[kLanes];
  int64_t h, w;

  Planes(const float* x, int64_t step, int64_t there, int64_t h, int64_t w) : h(h), w(w) {
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = x + least(l, there - 1) * step;
  }
};

// Pixels [y, y + rows) x [x, x + columns) of planes -> to (rows, columns), 0 outside; whether these
// are moderate.
Mask stack_pixels(const Planes& planes, int64_t y, int64_t x, int64_t rows, int64_t columns,
                  Vec* to) {
  Mask moderate = Vec{} == Vec{};
  for (int64_t i = y; i < y + rows; ++i, to += columns) {
    if (i < 0 || i >= planes.h) {
      for (int64_t c = 0; c < columns; ++c) to[c] = Vec{};
      continue;
    }
    const float* row[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) row[l] = planes.lane[l] + i * planes.w;
    stack_row(row, planes.w, x, columns, to);
    for (int64_t c = 0; c < columns; ++c) moderate &= is_moderate(to[c]);
  }
  return moderate;
}

// `count` tiles in a row, 4 apart, the first of which begins at y, x -> at(tile), its numbers `place`
// apart; whether the pixels are moderate. A tile is 6x6 pixels, for transform_tile, or 4x4, for
// transform_gradient.
template <int64_t kSide, class Transform, class At>
Mask transform_tiles(const Planes& planes, int64_t y, int64_t x, int64_t count, Transform transform,
                     int64_t place, const At& at) {
  const int64_t columns = kOut * count + kSide - kOut;
  Vec d[kIn * (kOut * kLongest + kIn - kOut)];
  const Mask moderate = stack_pixels(planes, y, x, kSide, columns, d);
  for (int64_t c = 0; c < columns; ++c) transform(d + c, columns, d + c, columns);
  for (int64_t t = 0; t < count; ++t) {
    float* to = at(t);
    for (int64_t i = 0; i < kIn; ++i) {
      Vec whole[kIn];
      transform(d + i * columns + kOut * t, 1, whole, 1);
      for (int64_t j = 0; j < kIn; ++j, to += place) store(to, whole[j]);
    }
  }
  return moderate;
}

// Sums of filters times tiles that registers hold: see rung 6 of GEMM.
constexpr int kRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4, kVectors = 2;
constexpr int64_t kWide = kVectors * kLanes;

// One side of the products, (36, terms, ...), and how far apart places and terms are.
struct Side {
  const float* data;
  int64_t place, term;
};

// filters (terms, Rows), tiles (terms, Vectors * kLanes) -> sums (Rows, kVectors, 36) of one place,
// or added to those there
template <int Rows, int Vectors>
void multiply(Side filters, Side tiles, int64_t terms, Vec* sums, bool add) {
  Vec sum[Rows][Vectors] = {};
  for (int64_t q = 0; q < terms; ++q, filters.data += filters.term, tiles.data += tiles.term) {
    Vec tile[Vectors];
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) tile[j] = load(tiles.data + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < Vectors; ++j) sum[i][j] += filters.data[i] * tile[j];
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) {
      Vec& there = sums[(i * kVectors + j) * kPlaces];
      there = add ? there + sum[i][j] : sum[i][j];
    }
}

// At every place, for `rows` of filters at most kRows, and so many vectors of tiles.
template <int Rows = kRows>
void multiply_places(int64_t rows, int64_t vectors, Side filters, Side tiles, int64_t terms,
                     Vec* sums, bool add) {
  if constexpr (Rows > 1)
    if (rows < Rows)
      return multiply_places<Rows - 1>(rows, vectors, filters, tiles, terms, sums, add);
  for (int64_t place = 0; place < kPlaces; ++place, ++sums) {
    if (vectors == kVectors)
      multiply<Rows, kVectors>(filters, tiles, terms, sums, add);
    else
      multiply<Rows, 1>(filters, tiles, terms, sums, add);
    filters.data += filters.place, tiles.data += tiles.place;
  }
}

}  // namespace
