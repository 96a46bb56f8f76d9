// Rung 0: row by row, number by number.
#include "../kernels.h"

namespace {

using namespace baregrad;

// Whether row i is there; if not, *bad_row becomes the smallest such i.
bool is_there(const int64_t* rows, int64_t i, int64_t v, int64_t* bad_row) {
  if (rows[i] >= 0 && rows[i] < v) return true;
  if (i < *bad_row) *bad_row = i;
  return false;
}

// table (v, d), rows (n,) -> out (n, d)
void gather_rows(const float* table, const int64_t* rows, float* out, int64_t* bad_row, int64_t v,
                 int64_t n, int64_t d) {
  for (int64_t i = 0; i < n; ++i) {
    const bool there = is_there(rows, i, v, bad_row);
    for (int64_t j = 0; j < d; ++j)
      out[i * d + j] = there ? table[rows[i] * d + j] : __builtin_nanf("");
  }
}

// dout (n, d), rows (n,) -> out (v, d), in place
void scatter_add_rows(const float* dout, const int64_t* rows, float* out, int64_t* bad_row,
                      int64_t v, int64_t n, int64_t d) {
  for (int64_t i = 0; i < n; ++i)
    if (is_there(rows, i, v, bad_row))
      for (int64_t j = 0; j < d; ++j) out[rows[i] * d + j] += dout[i * d + j];
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->gather_rows = gather_rows;
  table->scatter_add_rows = scatter_add_rows;
}
