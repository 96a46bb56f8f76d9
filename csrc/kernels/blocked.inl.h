#pragma once
// A product of two matrices after Goto and van de Geijn (2008): its parts are cut so that what is
// read again and again lies in a near cache. Where operands come from and where the output goes is
// said by whoever asks for the product, so that a matrix of windows is never in memory.
//
// From the inside: a tile (tile.inl.h) lives in registers; a sliver of b (kBlockK x kTileColumns: 16
// to 64 KiB) is used again and again while rows of a pass by; a task computes so many tiles of c
// that its parts of a and b stay in the second-level cache; a panel is what is packed at a time. Of
// an a that stays there as a whole, each thread has slivers of b for itself.
#include "tile.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// A sliver of b that fits the first-level cache meets 6 of a there. A larger one comes from the second
// in any case: then the sliver of a stays, and 1 MiB of b passes by.
constexpr bool kFits = kTileColumns * kBlockK <= 1 << 13;
constexpr int64_t kTaskTiles = kFits ? 6 : 1;
constexpr int64_t kTaskColumns = round_up(kFits ? 128 : 512, kTileColumns);
constexpr int64_t kTaskSlivers = kTaskColumns / kTileColumns;
constexpr int64_t kPanelRows = kTileRows * 288;  // with kBlockK 512: 2 to 8 MiB of a
constexpr int64_t kPanelColumns = round_up(4096, kTaskColumns);  // 8 MiB of b

// Floats of a that stay in the second-level cache while b streams past them: 256 KiB.
constexpr int64_t kNearFloats = 1 << 16;
// Short slivers of b at a time.
constexpr int64_t kAtOnce = 16;
// Multiply-adds below which a second thread does not pay: 512 Ki take about 9 us on one.
constexpr double kSerialWork = 1 << 19;
// Tasks that keep any number of threads busy, and chunks of a batch that keep some.
constexpr int64_t kManyTasks = 32, kLeastChunks = 8;

struct ProductSize {
  int64_t m, n, k;
};

// A part of a product: rows and columns of c, and the block of k that they sum. The first block
// sets c, the others add to it.
struct ProductPart {
  int64_t row, column, rows, columns;
  bool first;
};

// Rows of a, or columns of b: where they lie in a matrix, if they do, whether they may be read from
// there, and otherwise
//   pack(i, n, width, k0, k, sliver), which packs n of them from i on, over k from k0 on, as
//   (k, width).
template <class Pack>
struct Operand {
  Sliver matrix;
  bool may_lie;
  Pack pack;

  Sliver at(int64_t i, int64_t k0) const {
    return {matrix.data + i * matrix.side + k0 * matrix.step, matrix.side, matrix.step};
  }
  // Of columns that will be packed, from j on: the share of number `turn` of `turns` that fetch them.
  Ahead ahead(int64_t j, int64_t k0, int64_t turn, int64_t turns) const {
    if (may_lie || matrix.side != 1) return {};
    constexpr int64_t kLines = divide_up(kTileColumns, kLine);
    const int64_t line = part_begin(kLines, turn, turns);
    return {at(j + line * kLine, k0).data, matrix.step, part_begin(kLines, turn + 1, turns) - line};
  }
};

// Those that are nowhere in memory.
template <class Pack>
inline Operand<Pack> packed_operand(Pack pack) {
  return {{}, false, pack};
}
// Those of a matrix in memory.
inline auto matrix_operand(Sliver x, bool may_lie) {
  const auto pack = [=](int64_t i, int64_t n, int64_t width, int64_t k0, int64_t k, float* sliver) {
    pack_sliver({x.data + i * x.side + k0 * x.step, x.side, x.step}, n, width, k, sliver);
  };
  return Operand<decltype(pack)>{x, may_lie, pack};
}
// Not where lines that are wanted together would take each other's places in the first-level cache:
// a few rows of a 4 KiB apart, or many of b, again and again, 1 KiB apart. And of b, which is read
// by vectors, not where columns lie apart, or so many are there that its rows do.
inline auto left_operand(const float* a, int64_t row, int64_t column) {
  return matrix_operand({a, row, column}, row % 1024 != 0);
}
inline auto right_operand(const float* b, int64_t row, int64_t column, ProductSize size) {
  const bool apart = size.m <= 4 * kTileRows || row % 256 != 0;
  const bool near = least(size.k, kBlockK) * size.n <= 2 * kNearFloats;
  return matrix_operand({b, column, row}, column == 1 && apart && near);
}

// Whether a is so small that all of it stays near: then b is streamed past it.
inline bool stays_near(ProductSize size) { return size.m * least(size.k, kBlockK) <= kNearFloats; }

// Floats of workspace. No product with fewer rows, columns or terms wants more.
inline int64_t packed_a_floats(ProductSize size) {
  return round_up(least(size.m, kPanelRows), kTileRows) * least(size.k, kBlockK);
}
inline int64_t product_floats(ProductSize size) {
  const int64_t columns = stays_near(size) ? 0 : least(size.n, kPanelColumns);
  return packed_a_floats(size) + round_up(columns, kTileColumns) * least(size.k, kBlockK);
}

// multiply(place), a tile of the product: straight to where `store` has a place for it, or through its
// hands.
template <class Store, class Multiply>
inline void put_part(const Store& store, const ProductPart& part, const Multiply& multiply) {
  if (const Place place = store.place(part); place.data) return multiply(place);
  alignas(64) Tile tile;
  multiply(Place{tile[0], kTileColumns, false});
  store(tile, part);
}

template <class Store>
inline void multiply_part(const Thirds& a, const Sliver& b, int64_t k, const ProductPart& part,
                          const Store& store, const Ahead& ahead) {
  put_part(store, part, [&](const Place& place) {
    multiply_tile(a, b, k, part.rows, part.columns, place, ahead);
  });
}

// Rows of a from i on, `a(i)`, times columns of b, which a thread packs for itself -> store. Tiles
// are counted down the columns, so that it has all that it needs of a sliver; of short ones it takes
// several at a time, and goes along the rows of c. Of 3 rows of tiles, two slivers at a time:
//   0 1   6 7
//   2 3   8 9
//   4 5  10 11
template <class A, class B, class Store>
void multiply_near(const A& a, const B& b, const Store& store, ProductPart part, int64_t k0,
                   int64_t k, bool serial) {
  const int64_t height = tile_height(part.rows), column = divide_up(part.rows, height);
  const int64_t tiles = column * divide_up(part.columns, kTileColumns);
  const int64_t at_once = most(1, least(kAtOnce, kBlockK / (k + 1)));
  const auto multiply = [&](int64_t begin, int64_t end) {
    alignas(64) float room[kBlockK * kTileColumns];
    Sliver slivers[kAtOnce];
    int64_t next;
    for (bool first = true; begin < end; begin = next, first = false) {
      const int64_t wide = begin % column ? 1 : most(1, least(at_once, (end - begin) / column));
      next = least(end, (begin / column + wide) * column);
      const int64_t j0 = begin / column * kTileColumns;
      const auto columns = [&](int64_t q) {
        return least(part.columns - j0 - q * kTileColumns, kTileColumns);
      };
      for (int64_t q = 0; q < wide; ++q) {
        const int64_t j = part.column + j0 + q * kTileColumns;
        slivers[q] = b.at(j, k0);
        if (b.may_lie && columns(q) % kLanes == 0) continue;
        float* to = room + q * k * kTileColumns;  // beyond the last column is other memory
        b.pack(j, columns(q), kTileColumns, k0, k, to);
        slivers[q] = {to, 1, kTileColumns};
      }
      for (int64_t t = 0; t < next - begin; ++t) {
        const int64_t turn = begin % column + t / wide, i = turn * height;
        const int64_t q = t % wide, j = part.column + j0 + q * kTileColumns;
        Thirds rows = a(i);
        // Where a lies, its rows are too many streams for the CPU to see what comes next.
        if (first && q == 0 && rows.step == 1 && i + height < part.rows)
          rows.next = a(i + height).data;
        multiply_part(rows, slivers[q], k,
                      {part.row + i, j, least(part.rows - i, height), columns(q), part.first},
                      store, b.ahead(j + wide * kTileColumns, k0, turn, column));
      }
    }
  };
  parallel_for(tiles, serial ? tiles : 1, multiply, column);
}

// Rows of a from i on, `a(i)`, times packed_b (columns / kTileColumns slivers) -> store. Tiles are
// counted task by task, so that those of a thread lie together wherever it begins. Were tasks 2 x 2:
//   0 2   8 10
//   1 3   9 11
//   4 6  12 14
//   5 7  13 15
template <class A, class Store>
void multiply_packed(const A& a, const float* packed_b, const Store& store, ProductPart part,
                     int64_t k, bool serial) {
  const int64_t height = tile_height(part.rows), column = divide_up(part.rows, height);
  const int64_t slivers = divide_up(part.columns, kTileColumns), tiles = column * slivers;
  parallel_for(tiles, serial ? tiles : 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t j0 = t / (column * kTaskSlivers) * kTaskSlivers;
      const int64_t wide = least(kTaskSlivers, slivers - j0), strip = t - j0 * column;
      const int64_t i0 = strip / (kTaskTiles * wide) * kTaskTiles;
      const int64_t high = least(kTaskTiles, column - i0), task = strip - i0 * wide;
      const int64_t i = (i0 + task % high) * height, j = (j0 + task / high) * kTileColumns;
      const int64_t rows = least(part.rows - i, height), columns = part.columns - j;
      multiply_part(a(i), {packed_b + j * k, 1, kTileColumns}, k,
                    {part.row + i, part.column + j, rows, least(columns, kTileColumns), part.first},
                    store, {});
    }
  });
}

// a (m, k), b (k, n) -> c (m, n), by operands for a and b, where
//   store(tile, part) takes a tile of the product, and
//   store.place(part) says where it may be written or added without that.
// workspace has product_floats(size). With k 0 there is one turn all the same, of zeros.
template <class A, class B, class Store>
void multiply_blocked(ProductSize size, const A& a, const B& b, const Store& store,
                      float* workspace) {
  float *packed_a = workspace, *packed_b = workspace + packed_a_floats(size);
  const bool near = stays_near(size);
  const bool serial = double(size.m) * double(size.n) * double(size.k) < kSerialWork;
  const int64_t panel = near ? size.n : kPanelColumns;

  for (int64_t n0 = 0; n0 < size.n; n0 += panel) {
    const int64_t n = least(size.n - n0, panel), slivers = divide_up(n, kTileColumns);
    for (int64_t k0 = 0; k0 == 0 || (k0 < size.k && !is_stopped()); k0 += kBlockK) {
      const int64_t k = least(size.k - k0, kBlockK);
      if (!near)
        parallel_for(slivers, serial ? slivers : 1, [&](int64_t begin, int64_t end) {
          for (int64_t j = begin * kTileColumns; j < least(end * kTileColumns, n);
               j += kTileColumns)
            b.pack(n0 + j, least(n - j, kTileColumns), kTileColumns, k0, k, packed_b + j * k);
        });

      for (int64_t m0 = 0; m0 < size.m; m0 += kPanelRows) {
        const int64_t m = least(size.m - m0, kPanelRows), height = tile_height(m);
        const int64_t a_slivers = divide_up(m, kTileRows);
        if (!a.may_lie)
          parallel_for(a_slivers, serial ? a_slivers : 8, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin * height; i < least(end * height, m); i += height)
              a.pack(m0 + i, least(m - i, height), height, k0, k, packed_a + i * k);
          });
        const auto rows = [=, &a](int64_t i) {
          return a.may_lie ? a.at(m0 + i, k0) : Sliver{packed_a + i * k, 1, height};
        };
        const ProductPart part = {m0, n0, m, n, k0 == 0};
        if (near)
          multiply_near(rows, b, store, part, k0, k, serial);
        else
          multiply_packed(rows, packed_b, store, part, k, serial);
      }
    }
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
