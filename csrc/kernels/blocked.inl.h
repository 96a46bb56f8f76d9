#pragma once
// A product of two matrices after Goto and van de Geijn (2008): operands are packed into slivers
// that a small kernel reads in order, one tile of the output held in registers while k runs. Where
// operands come from and where the output goes is said by whoever asks for the product, so that a
// matrix of windows is never in memory.
//
// From the inside: a tile of kTileRows x kTileColumns sums lives in registers; a sliver of b
// (kBlockK x kTileColumns: 16 to 64 KiB) is used again and again while slivers of a stream past it;
// a task computes kTaskRows x kTaskColumns of c, so that its part of a stays in the second-level
// cache; a panel is what is packed at a time. Tiles and kBlockK belong to the instruction set
// (isa/<isa>.cpp).

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kTileColumns = kTileVectors * kLanes;
constexpr int64_t kTaskTiles = 6;
constexpr int64_t kTaskRows = kTileRows * kTaskTiles, kTaskColumns = round_up(128, kTileColumns);
constexpr int64_t kPanelRows = kTaskRows * 48;        // with kBlockK 512: 2 to 8 MiB of a
constexpr int64_t kPanelColumns = kTaskColumns * 32;  // 8 MiB of b

// Floats of a that stay in the second-level cache while b streams past them: 256 KiB.
constexpr int64_t kNearFloats = 1 << 16;
// Slivers of b that keep any number of threads busy.
constexpr int64_t kManySlivers = 64;

// Multiply-adds below which a second thread does not pay: 2 Mi take about 40 us on one.
constexpr double kSerialWork = 1 << 21;

constexpr int64_t most(int64_t x, int64_t y) { return x > y ? x : y; }
constexpr int64_t kWidest = most(kTileRows, kTileColumns);  // of slivers

// x (rows, length), each row at a place of its own -> to (length, width), zeros beyond rows
inline void transpose(const float* const* x, int64_t rows, int64_t width, int64_t length,
                      float* to) {
  for (int64_t q = 0; q < length; q += 4, to += 4 * width) {
    const int64_t depth = least(4, length - q);
    int64_t r = 0;
    for (; r + 4 <= rows && depth == 4; r += 4) {
      const float* const four[] = {x[r] + q, x[r + 1] + q, x[r + 2] + q, x[r + 3] + q};
      transpose_4x4(four, to + r, width);
    }
    for (; r < width; ++r)
      for (int64_t i = 0; i < depth; ++i) to[i * width + r] = r < rows ? x[r][q + i] : 0.f;
  }
}

// x (k, n), step and stride its strides -> sliver (k, width), zeros beyond n
inline void pack_sliver(const float* x, int64_t step, int64_t stride, int64_t n, int64_t width,
                        int64_t k, float* sliver) {
  if (stride == 1 && n == width) {  // rows of x are rows of the sliver
    for (int64_t p = 0; p < k; ++p, x += step, sliver += width)
      for (int64_t j = 0; j < width; j += kLanes)
        store_upto(sliver + j, load_upto(x + j, width - j), width - j);
    return;
  }
  if (step == 1) {
    const float* rows[kWidest];
    for (int64_t j = 0; j < n; ++j) rows[j] = x + j * stride;
    return transpose(rows, n, width, k, sliver);
  }
  // A cache line of x at a time: lines that lie a power of two apart would evict each other.
  constexpr int64_t kLine = 16;
  for (int64_t p = 0; p < k; p += kLine, x += kLine * step, sliver += kLine * width) {
    const int64_t depth = least(kLine, k - p);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t q = 0; q < depth; ++q) sliver[q * width + j] = x[j * stride + q * step];
    for (int64_t j = n; j < width; ++j)
      for (int64_t q = 0; q < depth; ++q) sliver[q * width + j] = 0.f;
  }
}

typedef Vec Tile[kTileRows][kTileVectors];

// a (k, height), b (k, kTileColumns) -> Rows rows and Vectors vectors of tile = a' b
// A function of its own: inlined, its sums would compete for registers with its caller's indices.
template <int Rows, int Vectors>
__attribute__((noinline)) void multiply_slivers(const float* a, int64_t height, const float* b,
                                                int64_t k, Tile& tile) {
  Vec sum[Rows][Vectors] = {};
  for (int64_t p = 0; p < k; ++p, a += height, b += kTileColumns) {
    Vec row[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) row[j] = load(b + j * kLanes);
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(broadcast(a[i]), row[j], sum[i][j]);
  }
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) tile[i][j] = sum[i][j];
}

// The same for as many rows and columns as are wanted.
template <int Rows = kTileRows, int Vectors = kTileVectors>
inline void multiply_tile(const float* a, int64_t height, const float* b, int64_t k, int64_t rows,
                          int64_t columns, Tile& tile) {
  if constexpr (Vectors > 1)
    if (columns <= (Vectors - 1) * kLanes)
      return multiply_tile<Rows, Vectors - 1>(a, height, b, k, rows, columns, tile);
  if constexpr (Rows > 1)
    if (rows < Rows) return multiply_tile<Rows - 1, Vectors>(a, height, b, k, rows, columns, tile);
  multiply_slivers<Rows, Vectors>(a, height, b, k, tile);
}

// Rows of a tile where m rows are cut into as few as there can be: equally many, or the last one
// would have few rows for as many loads of b.
inline int64_t tile_height(int64_t m) { return divide_up(m, most(1, divide_up(m, kTileRows))); }

struct ProductSize {
  int64_t m, n, k;
};

// A part of a product: rows and columns of c, and the block of k that they sum. The first block
// sets c, the others add to it.
struct ProductPart {
  int64_t row, column, rows, columns;
  bool first;
};

// Whether a is so small that all of it stays near.
inline bool stays_near(ProductSize size) { return size.m * least(size.k, kBlockK) <= kNearFloats; }

// Whether, b being wide too, each thread packs b for itself, a sliver at a time in its first-level
// cache, and streams it past a.
inline bool streams(ProductSize size) {
  return stays_near(size) && size.n >= kManySlivers * kTileColumns;
}

// Floats of workspace. No product with fewer rows, columns or terms wants more.
inline int64_t packed_a_floats(ProductSize size) {
  return round_up(least(size.m, kPanelRows), kTileRows) * least(size.k, kBlockK);
}
inline int64_t product_floats(ProductSize size) {
  const int64_t columns =
      least(size.n, stays_near(size) ? kManySlivers * kTileColumns : kPanelColumns);
  return packed_a_floats(size) + round_up(columns, kTileColumns) * least(size.k, kBlockK);
}

// Slivers of b (k, columns), packed as they are used, times all rows of packed_a -> store
template <class PackB, class Store>
void multiply_streaming(const float* packed_a, const PackB& pack_b, const Store& store,
                        ProductPart part, int64_t k0, int64_t k, bool serial) {
  const int64_t height = tile_height(part.rows);
  const int64_t slivers = divide_up(part.columns, kTileColumns);
  parallel_for(slivers, serial ? slivers : 1, [&](int64_t begin, int64_t end) {
    alignas(64) float sliver[kBlockK * kTileColumns];
    for (int64_t j = begin * kTileColumns; j < least(end * kTileColumns, part.columns);
         j += kTileColumns) {
      const int64_t columns = least(part.columns - j, kTileColumns);
      pack_b(part.column + j, columns, k0, k, sliver);
      for (int64_t i = 0; i < part.rows; i += height) {
        Tile tile;
        const int64_t rows = least(part.rows - i, height);
        multiply_tile(packed_a + i * k, height, sliver, k, rows, columns, tile);
        store(tile, ProductPart{part.row + i, part.column + j, rows, columns, part.first});
      }
    }
  });
}

// packed_a (rows / height slivers), packed_b (columns / kTileColumns slivers) -> store
template <class Store>
void multiply_packed(const float* packed_a, const float* packed_b, const Store& store,
                     ProductPart part, int64_t k, bool serial) {
  const int64_t height = tile_height(part.rows), task_rows = height * kTaskTiles;
  const int64_t row_tasks = divide_up(part.rows, task_rows);
  const int64_t tasks = row_tasks * divide_up(part.columns, kTaskColumns);
  parallel_for(tasks, serial ? tasks : 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t i0 = task % row_tasks * task_rows, i1 = least(i0 + task_rows, part.rows);
      const int64_t j0 = task / row_tasks * kTaskColumns,
                    j1 = least(j0 + kTaskColumns, part.columns);
      for (int64_t j = j0; j < j1; j += kTileColumns)
        for (int64_t i = i0; i < i1; i += height) {
          Tile tile;
          const int64_t rows = least(i1 - i, height), columns = least(j1 - j, kTileColumns);
          multiply_tile(packed_a + i * k, height, packed_b + j * k, k, rows, columns, tile);
          store(tile, ProductPart{part.row + i, part.column + j, rows, columns, part.first});
        }
    }
  });
}

// a (m, k), b (k, n) -> c (m, n), where
//   pack_a(i, rows, height, k0, k, sliver) packs a[i : i + rows, k0 : k0 + k] as (k, height),
//   pack_b(j, columns, k0, k, sliver) packs b[k0 : k0 + k, j : j + columns] as (k, kTileColumns),
//   store(tile, part) takes a tile of the product.
// workspace has product_floats(size). With k 0 there is one turn all the same, of zeros.
template <class PackA, class PackB, class Store>
void multiply_blocked(ProductSize size, const PackA& pack_a, const PackB& pack_b,
                      const Store& store, float* workspace) {
  float *packed_a = workspace, *packed_b = workspace + packed_a_floats(size);
  const bool streaming = streams(size);
  const bool serial = double(size.m) * double(size.n) * double(size.k) < kSerialWork;
  const int64_t panel = streaming ? size.n : kPanelColumns;

  for (int64_t n0 = 0; n0 < size.n; n0 += panel) {
    const int64_t n = least(size.n - n0, panel), slivers = divide_up(n, kTileColumns);
    for (int64_t k0 = 0; k0 == 0 || (k0 < size.k && !is_stopped()); k0 += kBlockK) {
      const int64_t k = least(size.k - k0, kBlockK);
      if (!streaming)
        parallel_for(slivers, serial ? slivers : 8, [&](int64_t begin, int64_t end) {
          for (int64_t j = begin * kTileColumns; j < least(end * kTileColumns, n);
               j += kTileColumns)
            pack_b(n0 + j, least(n - j, kTileColumns), k0, k, packed_b + j * k);
        });

      for (int64_t m0 = 0; m0 < size.m; m0 += kPanelRows) {
        const int64_t m = least(size.m - m0, kPanelRows), height = tile_height(m);
        const int64_t a_slivers = divide_up(m, kTileRows);
        parallel_for(a_slivers, serial ? a_slivers : 8, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin * height; i < least(end * height, m); i += height)
            pack_a(m0 + i, least(m - i, height), height, k0, k, packed_a + i * k);
        });
        const ProductPart part = {m0, n0, m, n, k0 == 0};
        if (streaming)
          multiply_streaming(packed_a, pack_b, store, part, k0, k, serial);
        else
          multiply_packed(packed_a, packed_b, store, part, k, serial);
      }
    }
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
