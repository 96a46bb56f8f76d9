#pragma once
// One tile of a product: kTileRows x kTileColumns sums that live in registers while k runs, and go to
// their place after it. Tiles and kBlockK, the most of k at a time, belong to the instruction set
// (isa/<isa>.cpp).
#include "slivers.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Rows of a tile where m rows are cut into as few as there can be: equally many, or the last one
// would have few rows for as many loads of b.
inline int64_t tile_height(int64_t m) { return divide_up(m, most(1, divide_up(m, kTileRows))); }

typedef float Tile[kTileRows][kTileColumns];

// The rows of a tile of a by threes: places of the first of each three, and the steps between them.
struct Thirds {
  static constexpr int kCount = (kTileRows + 2) / 3;
  const float* first[kCount];
  int64_t side, step;
  const float* next = nullptr;  // rows that are wanted after these, to be fetched meanwhile

  Thirds() = default;
  Thirds(Sliver a) : side(a.side), step(a.step) {
    for (int i = 0; i < kCount; ++i) first[i] = a.data + 3 * i * a.side;
  }
};

// What is wanted after this tile: so many lines of each row of the next sliver, `step` floats apart.
struct Ahead {
  const float* data;
  int64_t step, lines;

  // Rows from `first` on.
  void fetch(int64_t first, int64_t rows) const {
    const float* row = data + first * step;
    for (int64_t p = 0; p < rows; ++p, row += step)
      for (int64_t line = 0; line < lines; ++line) __builtin_prefetch(row + line * kLine);
  }
};

// Of so many columns, those of the last vector.
inline int64_t last_lanes(int64_t columns) { return (columns - 1) % kLanes + 1; }

// Where a tile of sums goes: rows `row` apart, added to what is there or in its stead, and each row
// with its bias, if there are any. Of the last vector of a row there are `last` columns.
struct Place {
  float* data;
  int64_t row;
  bool add;
  const float* bias = nullptr;
  int64_t last = kLanes;

  void fetch(int64_t rows, int64_t columns) const {
    const float* line = data;
#pragma GCC unroll 1
    for (int64_t i = 0; i < rows; ++i, line += row)
#pragma GCC unroll 1
      for (int64_t j = 0; j < columns; j += kLine) __builtin_prefetch(line + j, 1);
  }
};

// sum (Rows, Vectors kLanes) -> to, by vectors that are all whole, or but for the last of a row.
template <bool Whole, int Rows, int Vectors>
__attribute__((always_inline)) inline void put_rows(Vec (&sum)[Rows][Vectors], const Place& to) {
  const auto there = [&](int j) { return Whole || j + 1 < Vectors ? kLanes : to.last; };
  if (to.add) {
    const float* from = to.data;
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i, from += to.row)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] += load_upto(from + j * kLanes, there(j));
  }
  float* out = to.data;
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i, out += to.row)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) store_upto(out + j * kLanes, sum[i][j], there(j));
}

// The same, with the bias of each row. Always inlined, or the sums would go through memory.
template <int Rows, int Vectors>
__attribute__((always_inline)) inline void put_tile(Vec (&sum)[Rows][Vectors], const Place& to) {
  if (to.bias) {
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] += broadcast(to.bias[i]);
  }
  if (to.last < kLanes)
    put_rows<false>(sum, to);
  else
    put_rows<true>(sum, to);
}

// multiply.operator()<rows, vectors>(), for as many as a tile has at most
template <int Rows = kTileRows, int Vectors = kTileVectors, class Multiply>
inline void with_size(int64_t rows, int64_t vectors, const Multiply& multiply) {
  if constexpr (Vectors > 1)
    if (vectors < Vectors) return with_size<Rows, Vectors - 1>(rows, vectors, multiply);
  if constexpr (Rows > 1)
    if (rows < Rows) return with_size<Rows - 1, Vectors>(rows, vectors, multiply);
  multiply.template operator()<Rows, Vectors>();
}

// a (Rows, k), b (k, Vectors kLanes) with columns side by side -> to (Rows, Vectors kLanes) = a b
// A function of its own: inlined, its sums would compete for registers with its caller's indices.
// So would places of all rows of a: of 14, counted by threes, 5 places and 3 steps are enough. What
// it is told it reads where its caller wrote it: a copy, by vectors, would wait for all stores before.
template <int Rows, int Vectors>
__attribute__((noinline)) void multiply_slivers(const Thirds& a, const Sliver& b, int64_t k,
                                                const Place& to, const Ahead& ahead) {
  const int64_t side = a.side;
  const float* third[(Rows + 2) / 3];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; i += 3) third[i / 3] = a.first[i / 3];
  if (k >= kLine) to.fetch(Rows, Vectors * kLanes);  // it takes as long as a few steps
  const float* right = b.data;
  const int64_t step = b.step;
  Vec sum[Rows][Vectors] = {};
  // Steps without a break, which costs Intel's CPUs a branch not foreseen: a line where something is
  // fetched meanwhile.
  const int64_t run = ahead.lines || a.next ? kLine : k;
  for (int64_t p0 = 0; p0 < k; p0 += run) {
    const int64_t steps = least(run, k - p0);
    if (ahead.lines) ahead.fetch(p0, steps);
    if (const float* row = a.next)
      for (int i = 0; i < Rows; ++i, row += side) __builtin_prefetch(row + p0);
    for (int64_t p = 0; p < steps; ++p, right += step) {
      Vec from[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) from[j] = load(right + j * kLanes);
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i) {
        const Vec x = broadcast(third[i / 3][i % 3 * side]);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(x, from[j], sum[i][j]);
      }
#pragma GCC unroll 8
      for (int i = 0; i < Rows; i += 3) third[i / 3] += a.step;
    }
  }
  put_tile(sum, to);
}

// The same for as many rows and columns as are wanted.
inline void multiply_tile(const Thirds& a, const Sliver& b, int64_t k, int64_t rows,
                          int64_t columns, const Place& to, const Ahead& ahead) {
  with_size(rows, divide_up(columns, kLanes),
            [&]<int Rows, int Vectors>() { multiply_slivers<Rows, Vectors>(a, b, k, to, ahead); });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
