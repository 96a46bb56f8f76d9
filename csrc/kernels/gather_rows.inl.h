// Rows of a table by number, as an embedding looks them up, and the gradient of that.

namespace baregrad::BAREGRAD_ISA {
namespace {

// Tables at least this wide are split by columns, so that threads share the work whatever rows are
// asked for; narrower ones, where a column of cache lines is all there is, by rows of the table.
constexpr int64_t kWideTable = 128;
constexpr int64_t kCacheLine = 16;  // floats

// Elements below which waking a thread costs more than it saves: 16 Ki are about 10 us.
constexpr int64_t kRowsGrain = 1 << 14;

// table (v, d), rows (n,) -> out (n, d)
void gather_rows(const float* table, const int64_t* rows, float* out, int64_t* bad_row, int64_t v,
                 int64_t n, int64_t d) {
  parallel_for(n, kRowsGrain / (d + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const bool good = rows[i] >= 0 && rows[i] < v;
      if (!good) keep_smallest(bad_row, i);
      float* to = out + i * d;
      for (int64_t j = 0; j < d; j += kLanes) {
        const Vec nan = broadcast(__builtin_nanf(""));
        store_upto(to + j, good ? load_upto(table + rows[i] * d + j, d - j) : nan, d - j);
      }
    }
  });
}

// dout (n, d), rows (n,) -> out (v, d), of which rows [first, last) and columns [begin, end)
inline void add_rows(const float* dout, const int64_t* rows, float* out, int64_t n, int64_t d,
                     int64_t first, int64_t last, int64_t begin, int64_t end) {
  for (int64_t i = 0; i < n; ++i) {
    if (rows[i] < first || rows[i] >= last) continue;
    const float* from = dout + i * d;
    float* to = out + rows[i] * d;
    for (int64_t j = begin; j < end; j += kLanes)
      store_upto(to + j, load_upto(to + j, end - j) + load_upto(from + j, end - j), end - j);
  }
}

// dout (n, d), rows (n,) -> out (v, d), in place. Each element is one thread's, which adds in order
// of i: the same bits for any number of threads.
void scatter_add_rows(const float* dout, const int64_t* rows, float* out, int64_t* bad_row,
                      int64_t v, int64_t n, int64_t d) {
  for (int64_t i = 0; i < n; ++i)
    if (rows[i] < 0 || rows[i] >= v) {
      keep_smallest(bad_row, i);
      break;
    }
  if (d >= kWideTable) {
    const int64_t columns = round_up(kRowsGrain / (n + 1) + 1, kCacheLine);
    parallel_for(d, columns, [=](int64_t begin, int64_t end) {
      add_rows(dout, rows, out, n, d, 0, v, begin, end);
    });
  } else {
    const int64_t table_rows = divide_up(v, n * d / kRowsGrain + 1);
    parallel_for(v, table_rows, [=](int64_t first, int64_t last) {
      add_rows(dout, rows, out, n, d, first, last, 0, d);
    });
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
