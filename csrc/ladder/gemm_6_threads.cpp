// Rung 6: threads pack, then share tasks of a block of rows by 8 slivers. Each tile is summed by
// one thread in the same order as before, so the bits are the same for any number of them.
#include "../kernels.h"
#include "threads.h"
#include "vector.h"

namespace {

using namespace baregrad;

// The sums, 2 vectors of b and one number of a fill the registers: 32 of AVX-512, or 16.
constexpr int kRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4, kVectors = 2;
constexpr int64_t kColumns = kVectors * kLanes;
// With AVX-512 a sliver of b takes 64 KiB, and kBlockRows of a 336 KiB of the second-level cache.
constexpr int64_t kBlockK = 512, kBlockRows = 12 * kRows;
// Slivers of b that a task takes: fewer tasks would leave threads idle, more would wait for memory.
constexpr int64_t kTaskColumns = 8 * kColumns;

// x (length, k), steps between its elements -> slivers (length / Width, k, Width)
template <int64_t Width>
void pack(const float* x, int64_t step, int64_t k_step, int64_t length, int64_t k, float* slivers) {
  for (int64_t i = 0; i < length; i += Width)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = i; j < i + Width; ++j)
        *slivers++ = j < length ? x[j * step + p * k_step] : 0;
}

// a (k, kRows), b (k, kColumns), slivers -> tile (kRows, kColumns) = a' b
void multiply(const float* a, const float* b, int64_t k, float (&tile)[kRows][kColumns]) {
  Vec sum[kRows][kVectors] = {};
  for (int64_t p = 0; p < k; ++p, a += kRows, b += kColumns) {
    const Vec row[kVectors] = {load(b), load(b + kLanes)};
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sum[i][j] += a[i] * row[j];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) store(&tile[i][j * kLanes], sum[i][j]);
}

// tile (rows, columns) -> c (rows, columns) = alpha tile + beta c + bias
void update(const float (&tile)[kRows][kColumns], const float* bias, Matrix c, int64_t rows,
            int64_t columns, float alpha, float beta) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      float& out = c.data[i * c.row + j * c.col];
      out = alpha * tile[i][j] + (beta != 0 ? beta * out : 0) + (bias ? bias[j] : 0);
    }
}

int64_t workspace(GemmSize size) {
  return (round_up(size.m, kRows) + round_up(size.n, kColumns)) * least(size.k, kBlockK) *
         int64_t(sizeof(float));
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* scratch) {
  for (int64_t s = 0; s < size.batch; ++s)
    for (int64_t p = 0; p == 0 || p < size.k; p += kBlockK) {
      const int64_t k = least(size.k - p, kBlockK);
      float *packed_b = static_cast<float*>(scratch),
            *packed_a = packed_b + round_up(size.n, kColumns) * k;
      const float* from_b = b.data + s * b.batch + p * b.row;
      parallel_for(size.n, kTaskColumns, [=](int64_t begin, int64_t end) {
        pack<kColumns>(from_b + begin * b.col, b.col, b.row, end - begin, k, packed_b + begin * k);
      });
      const float* from_a = a.data + s * a.batch + p * a.col;
      parallel_for(size.m, kBlockRows, [=](int64_t begin, int64_t end) {
        pack<kRows>(from_a + begin * a.row, a.row, a.col, end - begin, k, packed_a + begin * k);
      });
      const int64_t blocks = divide_up(size.m, kBlockRows);
      parallel_for(blocks * divide_up(size.n, kTaskColumns), 1, [=](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t i0 = task % blocks * kBlockRows, j0 = task / blocks * kTaskColumns;
          for (int64_t j = j0; j < least(size.n, j0 + kTaskColumns); j += kColumns)
            for (int64_t i = i0; i < least(size.m, i0 + kBlockRows); i += kRows) {
              const int64_t rows = least(size.m - i, kRows), columns = least(size.n - j, kColumns);
              float tile[kRows][kColumns];
              multiply(packed_a + i * k, packed_b + j * k, k, tile);
              // The first block of k brings beta and bias; the others add to what is there.
              update(tile, bias && p == 0 ? bias + j : nullptr,
                     {c.data + s * c.batch + i * c.row + j * c.col, 0, c.row, c.col}, rows, columns,
                     alpha, p == 0 ? beta : 1);
            }
        }
      });
    }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package_threads = table->parallel_for;
  table->gemm = gemm;
  table->gemm_workspace = workspace;
}
