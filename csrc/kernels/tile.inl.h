#pragma once
// One tile of a product, kTileRows x kTileColumns sums that live in registers while k runs, and the
// slivers of the operands that it reads: where they lie in a matrix, or packed, in the order in
// which they are wanted. Tiles and kBlockK, the most of k at a time, belong to the instruction set
// (isa/<isa>.cpp).

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kTileColumns = kTileVectors * kLanes;
constexpr int64_t kLine = 16;  // floats of a cache line

constexpr int64_t most(int64_t x, int64_t y) { return x > y ? x : y; }
constexpr int64_t divide_down(int64_t x, int64_t y) { return x / y - (x % y < 0); }  // y > 0
constexpr int64_t kWidest = most(kTileRows, kTileColumns);                           // of slivers

// Rows of a tile where m rows are cut into as few as there can be: equally many, or the last one
// would have few rows for as many loads of b.
inline int64_t tile_height(int64_t m) { return divide_up(m, most(1, divide_up(m, kTileRows))); }

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

struct Span {
  int64_t begin, end;
};

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
  for (int64_t p0 = 0; p0 < k; p0 += kLine) {
    const int64_t steps = least(kLine, k - p0);
    ahead.fetch(p0, steps);
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
