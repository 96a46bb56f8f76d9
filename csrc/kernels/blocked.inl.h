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
constexpr int64_t kTaskRows = kTileRows * 6, kTaskColumns = round_up(128, kTileColumns);
constexpr int64_t kPanelRows = kTaskRows * 48;        // with kBlockK 512: 2 to 8 MiB of a
constexpr int64_t kPanelColumns = kTaskColumns * 32;  // 8 MiB of b

// Floats of a that stay in the second-level cache while b streams past them: 256 KiB.
constexpr int64_t kNearFloats = 1 << 16;
// Slivers of b that keep any number of threads busy.
constexpr int64_t kManySlivers = 64;

// Multiply-adds below which a second thread does not pay: 2 Mi take about 40 us on one.
constexpr double kSerialWork = 1 << 21;

constexpr int64_t most(int64_t x, int64_t y) { return x > y ? x : y; }

// x (k, width), step and stride its strides -> sliver (k, Width), zeros beyond width
template <int64_t Width>
inline void pack_sliver(const float* x, int64_t step, int64_t stride, int64_t width, int64_t k,
                        float* sliver) {
  if (stride == 1 && width == Width) {  // rows of x are rows of the sliver
    for (int64_t p = 0; p < k; ++p, x += step, sliver += Width)
      for (int64_t j = 0; j < Width; ++j) sliver[j] = x[j];
    return;
  }
  // A cache line of x at a time: lines that lie a power of two apart would evict each other.
  constexpr int64_t kLine = 16;
  for (int64_t p = 0; p < k; p += kLine, x += kLine * step, sliver += kLine * Width) {
    const int64_t depth = least(kLine, k - p);
    for (int64_t j = 0; j < width; ++j)
      for (int64_t q = 0; q < depth; ++q) sliver[q * Width + j] = x[j * stride + q * step];
    for (int64_t j = width; j < Width; ++j)
      for (int64_t q = 0; q < depth; ++q) sliver[q * Width + j] = 0.f;
  }
}

typedef Vec Tile[kTileRows][kTileVectors];

// a (k, kTileRows), b (k, kTileColumns) -> the first Rows rows of tile = a' b
// A function of its own: inlined, its sums would compete for registers with its caller's indices.
template <int Rows>
__attribute__((noinline)) void multiply_slivers(const float* a, const float* b, int64_t k,
                                                Tile& tile) {
  Vec sum[Rows][kTileVectors] = {};
  for (int64_t p = 0; p < k; ++p, a += kTileRows, b += kTileColumns) {
    Vec row[kTileVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) row[j] = load(b + j * kLanes);
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kTileVectors; ++j) sum[i][j] = fma(broadcast(a[i]), row[j], sum[i][j]);
  }
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) tile[i][j] = sum[i][j];
}

// The same for a tile of which `rows` are wanted: of half of them or fewer, in half the time.
template <int Rows = kTileRows>
inline void multiply_tile(const float* a, const float* b, int64_t k, int64_t rows, Tile& tile) {
  if constexpr (Rows > 1)
    if (rows <= Rows / 2) return multiply_tile<Rows / 2>(a, b, k, rows, tile);
  multiply_slivers<Rows>(a, b, k, tile);
}

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
  const int64_t slivers = divide_up(part.columns, kTileColumns);
  parallel_for(slivers, serial ? slivers : 1, [&](int64_t begin, int64_t end) {
    alignas(64) float sliver[kBlockK * kTileColumns];
    for (int64_t j = begin * kTileColumns; j < least(end * kTileColumns, part.columns);
         j += kTileColumns) {
      const int64_t columns = least(part.columns - j, kTileColumns);
      pack_b(part.column + j, columns, k0, k, sliver);
      for (int64_t i = 0; i < part.rows; i += kTileRows) {
        Tile tile;
        const int64_t rows = least(part.rows - i, kTileRows);
        multiply_tile(packed_a + i * k, sliver, k, rows, tile);
        store(tile, ProductPart{part.row + i, part.column + j, rows, columns, part.first});
      }
    }
  });
}

// packed_a (rows / kTileRows slivers), packed_b (columns / kTileColumns slivers) -> store
template <class Store>
void multiply_packed(const float* packed_a, const float* packed_b, const Store& store,
                     ProductPart part, int64_t k, bool serial) {
  const int64_t row_tasks = divide_up(part.rows, kTaskRows);
  const int64_t tasks = row_tasks * divide_up(part.columns, kTaskColumns);
  parallel_for(tasks, serial ? tasks : 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t i0 = task % row_tasks * kTaskRows, i1 = least(i0 + kTaskRows, part.rows);
      const int64_t j0 = task / row_tasks * kTaskColumns,
                    j1 = least(j0 + kTaskColumns, part.columns);
      for (int64_t j = j0; j < j1; j += kTileColumns)
        for (int64_t i = i0; i < i1; i += kTileRows) {
          Tile tile;
          const int64_t rows = least(i1 - i, kTileRows);
          multiply_tile(packed_a + i * k, packed_b + j * k, k, rows, tile);
          store(tile, ProductPart{part.row + i, part.column + j, rows, least(j1 - j, kTileColumns),
                                  part.first});
        }
    }
  });
}

// a (m, k), b (k, n) -> c (m, n), where
//   pack_a(i, rows, k0, k, sliver) packs a[i : i + rows, k0 : k0 + k] as (k, kTileRows),
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
    for (int64_t k0 = 0; k0 == 0 || k0 < size.k; k0 += kBlockK) {
      const int64_t k = least(size.k - k0, kBlockK);
      if (!streaming)
        parallel_for(slivers, serial ? slivers : 8, [&](int64_t begin, int64_t end) {
          for (int64_t j = begin * kTileColumns; j < least(end * kTileColumns, n);
               j += kTileColumns)
            pack_b(n0 + j, least(n - j, kTileColumns), k0, k, packed_b + j * k);
        });

      for (int64_t m0 = 0; m0 < size.m; m0 += kPanelRows) {
        const int64_t m = least(size.m - m0, kPanelRows), a_slivers = divide_up(m, kTileRows);
        parallel_for(a_slivers, serial ? a_slivers : 8, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin * kTileRows; i < least(end * kTileRows, m); i += kTileRows)
            pack_a(m0 + i, least(m - i, kTileRows), k0, k, packed_a + i * k);
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
