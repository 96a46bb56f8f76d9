// Rows of a table by number, as an embedding looks them up, and the gradient of that. A warp for a
// row, its lanes striding over the columns.
#include <math_constants.h>

#include "launch.cuh"

namespace baregrad {
namespace {

constexpr int kRows = 4;  // warps of a block

// table (v, d), rows (n,) -> out (n, d)
__global__ void gather_rows_kernel(const float* table, const int64_t* rows, float* out,
                                   int64_t* bad_row, int64_t v, int64_t n, int64_t d) {
  const int lane = threadIdx.x % kWarp;
  const int64_t first = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  for (int64_t i = first; i < n; i += int64_t(gridDim.x) * kRows) {
    const int64_t row = rows[i];
    // The host cannot see rows that live here: a bad one is reported, and reads nothing.
    const bool good = row >= 0 && row < v;
    if (!good && lane == 0) keep_smallest(bad_row, i);
    for (int64_t j = lane; j < d; j += kWarp)
      out[i * d + j] = good ? table[row * d + j] : CUDART_NAN_F;
  }
}

// dout (n, d), rows (n,) -> out (v, d), in place: a warp looks for its row of the table in all of
// rows, 32 at a time, so that what it adds comes in order of i without atomics.
__global__ void scatter_add_rows_kernel(const float* dout, const int64_t* rows, float* out,
                                        int64_t* bad_row, int64_t v, int64_t n, int64_t d) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    if (rows[i] < 0 || rows[i] >= v) keep_smallest(bad_row, i);

  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  // A row is a whole warp's, so the ballots below stay full.
  for (; row < v && d > 0; row += int64_t(gridDim.x) * kRows)
    for (int64_t first = 0; first < n; first += kWarp) {
      const int64_t i = first + lane;
      unsigned found = __ballot_sync(0xffffffffu, i < n && rows[i] == row);
      for (; found; found &= found - 1) {  // without its lowest bit
        const float* from = dout + (first + __ffs(int(found)) - 1) * d;
        for (int64_t j = lane; j < d; j += kWarp) out[row * d + j] += from[j];
      }
    }
}

}  // namespace

void gather_rows(const float* table, const int64_t* rows, float* out, int64_t* bad_row, int64_t v,
                 int64_t n, int64_t d, cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for(n, kRows);
  gather_rows_kernel<<<blocks, kRows * kWarp, 0, stream>>>(table, rows, out, bad_row, v, n, d);
}

void scatter_add_rows(const float* dout, const int64_t* rows, float* out, int64_t* bad_row,
                      int64_t v, int64_t n, int64_t d, cudaStream_t stream) {
  if (n == 0) return;
  const int64_t written = d > 0 && v > 0 ? v : 1;  // bad rows are found in an empty table, too
  const unsigned blocks = blocks_for(written, kRows);
  scatter_add_rows_kernel<<<blocks, kRows * kWarp, 0, stream>>>(dout, rows, out, bad_row, v, n, d);
}

}  // namespace baregrad
