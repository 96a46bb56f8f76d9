#pragma once
// Products of few rows: there are a few multiply-adds for each number of b, so that memory is the
// limit. b is read once, in the order in which it lies there, and never packed.
#include "blocked.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kFewRows = 8;
constexpr int64_t kMostTerms = 1 << 20;  // all of a is in the workspace: at most 32 MiB
// Sums that stay in the first-level cache while rows of b stream past, and the columns of so many: of
// one row 4096, and never a power of two, as places 4 KiB apart take each other's lines.
constexpr int64_t kNearSums = 4224;
// Floats of b above which it is `far`, in memory: 12 MiB. Then what comes next is fetched meanwhile: the
// CPU foresees it to the end of a page only.
constexpr int64_t kFarFloats = 3 << 20;
constexpr int64_t near_columns(int64_t rows) { return kNearSums / rows / kLanes * kLanes; }

// a (Rows, Depth) with rows `step` apart, Depth rows of b (columns,) -> sums (Rows, columns) += a b
template <int Rows, int Depth>
inline void add_products(const float* a, int64_t step, const float* b, int64_t row, int64_t columns,
                         bool far, float* sums) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    Vec from[Depth];
#pragma GCC unroll 8
    for (int d = 0; d < Depth; ++d) from[d] = load_upto(b + d * row + j, columns - j);
    if (far)
      for (int d = 0; d < Depth; ++d) __builtin_prefetch(b + (Depth + d) * row + j, 0, 2);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      Vec sum = load(sums + r * near_columns(Rows) + j);
#pragma GCC unroll 8
      for (int d = 0; d < Depth; ++d) sum = fma(broadcast(a[r * step + d]), from[d], sum);
      store(sums + r * near_columns(Rows) + j, sum);
    }
  }
}

// a (Rows, k), column j of b -> column j of sums: each a sum by lanes
template <int Rows>
inline void dot_products(const float* a, ConstMatrix matrix, int64_t k, int64_t j, bool far,
                         float* sums) {
  const float *b = matrix.data + j * matrix.col, *next = b + matrix.col;
  constexpr int kChains = Rows < 4 ? 4 / Rows : 1;  // to hide the latency of a multiply-add
  Vec sum[Rows][kChains] = {};
  int64_t p = 0;
  for (; p + kChains * kLanes <= k; p += kChains * kLanes)
#pragma GCC unroll 4
    for (int c = 0; c < kChains; ++c) {
      const Vec from = load(b + p + c * kLanes);
      if (Rows > 4 && far) __builtin_prefetch(next + p + c * kLanes, 0, 2);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
        sum[r][c] = fma(load(a + r * k + p + c * kLanes), from, sum[r][c]);
    }
  for (; p < k; p += kLanes) {
    const Vec from = load_upto(b + p, k - p);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
      sum[r][0] = fma(load_upto(a + r * k + p, k - p), from, sum[r][0]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 1; c < kChains; ++c) sum[r][0] += sum[r][c];
    sums[r * near_columns(Rows) + j] = sum_lanes(sum[r][0]);
  }
}

// a (rows, k), b (k, columns) with rows or columns that are contiguous -> sums = a b
template <int Rows = kFewRows>
void multiply_few_rows(const float* a, ConstMatrix b, int64_t rows, int64_t columns, int64_t k,
                       bool far, float* sums) {
  if constexpr (Rows > 1)
    if (rows < Rows) return multiply_few_rows<Rows - 1>(a, b, rows, columns, k, far, sums);
  if (b.col != 1) {
    for (int64_t j = 0; j < columns; ++j) dot_products<Rows>(a, b, k, j, far, sums);
    return;
  }
  for (int64_t r = 0; r < Rows; ++r)
    for (int64_t j = 0; j < columns; j += kLanes) store(sums + r * near_columns(Rows) + j, Vec{});
  constexpr int kDepth = Rows < 4 ? 8 : 4;  // a sum is loaded and stored once for so many
  int64_t p = 0;
  for (; p + kDepth <= k; p += kDepth)
    add_products<Rows, kDepth>(a + p, k, b.data + p * b.row, b.row, columns, far, sums);
  for (; p < k; ++p) add_products<Rows, 1>(a + p, k, b.data + p * b.row, b.row, columns, far, sums);
}

inline bool has_few_rows(ConstMatrix b, GemmSize size) {
  return size.m <= kFewRows && size.k <= kMostTerms && (b.col == 1 || b.row == 1);
}

// a (m, k), b (k, n) -> store(sums, column, columns): m rows of some columns, near_columns(m) apart.
// workspace has m k floats.
template <class Store>
void multiply_few(ConstMatrix a, ConstMatrix b, GemmSize size, const Store& store,
                  float* workspace) {
  for (int64_t i = 0; i < size.m; ++i)
    for (int64_t p = 0; p < size.k; ++p) workspace[i * size.k + p] = a.data[i * a.row + p * a.col];
  if (size.m == 0) return;
  const int64_t vectors = divide_up(size.n, kLanes), near = near_columns(size.m);
  const bool far = size.k * size.n > kFarFloats;
  const int64_t grain = kElementwiseGrain / (kLanes * size.k + 1) + 1;
  parallel_for(
      vectors, grain,
      [=](int64_t begin, int64_t end) {
        alignas(64) float sums[kNearSums];
        const int64_t last = least(end * kLanes, size.n);
        for (int64_t j = begin * kLanes; j < last; j += near) {
          const int64_t columns = least(last - j, near);
          const ConstMatrix from = {b.data + j * b.col, b.batch, b.row, b.col};
          multiply_few_rows(workspace, from, size.m, columns, size.k, far, sums);
          store(sums, j, columns);
        }
      },
      near / kLanes);
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
