#pragma once
#include "../ptx.h"
#include "fours.cuh"

// The product behind gemm and conv2d, c (m, n) = a (m, k) b (k, n), where an operand is whatever says
// where its elements are: a convolution reads its windows without writing them down first (implicit
// GEMM; Chetlur et al. 2014, cuDNN).
//
// A block of 16 x 16 threads computes a tile of c, whose sums it keeps in registers. Along k it goes in
// steps; tiles of a and b arrive in shared memory some steps ahead of their use (cp.async), and the sums
// leave by shared memory too, a row of neighbours for each warp. Where c has too few tiles for a device,
// k is cut into splits, whose sums a second kernel adds up, always in the same order.
namespace baregrad {

constexpr int kSide = 16, kTileThreads = kSide * kSide;
constexpr int kPart = kSide * kFour;       // of a tile's rows, or columns: 4 for each thread
constexpr int64_t kEnoughTiles = 2 * 132;  // blocks for every processor of a large device
constexpr int64_t kLeastSplit = 128, kSplitStep = 16;  // of k; whole steps

// What an operand is, for rows of a and for columns of b alike:
//   struct Row, Step    what is known of place i along m or n, and of place p along k
//   Row row(int64_t i), Step step(int64_t p)
//   const float* at(Row, Step)      nullptr for 0
//   void advance(int64_t s)         to batch s
//   const float* data               any address
//   static constexpr bool kAlongDepth     neighbours in memory are neighbours along k
//   static constexpr bool kIsLean         few registers: a thread may have 8 x 8 sums
// or a matrix in memory: element (i, p) is data[i along_rows + p along_k].
struct Strided {
  static constexpr bool kIsLean = true;
  const float* data;
  int64_t batch, along_rows, along_k, rows;

  __device__ void advance(int64_t s) { data += s * batch; }
};

// The first `count` of v from their places, or to them, at once if they are 4 neighbours.
template <int kCount>
__device__ inline bool are_neighbours(const float* place, int count, int64_t step) {
  return kCount == kFour && count == kFour && step == 1 && are_aligned(place);
}
template <int kCount>
__device__ inline void read(const float* from, float (&v)[kCount], int count, int64_t step = 1) {
  if constexpr (kCount == kFour)
    if (are_neighbours<kCount>(from, count, step)) return read_four(from, v);
#pragma unroll
  for (int e = 0; e < kCount; ++e)
    if (e < count) v[e] = from[e * step];
}
template <int kCount>
__device__ inline void write(float* to, const float (&v)[kCount], int count, int64_t step = 1) {
  if constexpr (kCount == kFour)
    if (are_neighbours<kCount>(to, count, step)) return write_four(to, v);
#pragma unroll
  for (int e = 0; e < kCount; ++e)
    if (e < count) to[e * step] = v[e];
}

// Rows of one operand, or columns, by a step along k, padded for the banks of shared memory. Neighbours in
// it are neighbours along k, or not.
template <int kTileRows, int kTileDepth, bool kIsAlongDepth, int kPad>
struct alignas(16) Tile {
  static constexpr int kRows = kTileRows, kDepth = kTileDepth;
  static constexpr bool kAlongDepth = kIsAlongDepth;

  float data[kAlongDepth ? kRows : kDepth][(kAlongDepth ? kDepth : kRows) + kPad];

  __device__ float* at(int row, int depth) {
    return kAlongDepth ? &data[row][depth] : &data[depth][row];
  }
  __device__ const float* at(int row, int depth) const {
    return kAlongDepth ? &data[row][depth] : &data[depth][row];
  }
};

// How c is cut up.
struct Tiling {
  int64_t batch, m, n, k;
  int height, width;  // of a tile
  int rows, columns;  // of tiles
  int splits;         // of k
  int64_t depth;      // of a split, a multiple of kSplitStep
  float* partial;     // (splits, batch, m, n), if there are several splits
};

// Brings the tile of one operand to shared memory.
template <class Tile, class Operand>
struct Loader {
  static constexpr int kRows = Tile::kRows, kDepth = Tile::kDepth;
  static constexpr int kEach = kRows * kDepth / kTileThreads;  // elements for each thread
  static constexpr bool kAlong = Operand::kAlongDepth;
  static constexpr int kOwnRows = kAlong ? kEach : 1, kSteps = kAlong ? 1 : kEach;

  Operand operand;
  typename Operand::Row rows[kOwnRows];
  int thread;

  __device__ Loader(const Operand& operand, int64_t first) : operand(operand), thread(threadIdx.x) {
    for (int r = 0; r < kOwnRows; ++r) rows[r] = operand.row(first + row_of(r));
  }
  __device__ int row_of(int r) const {
    return kAlong ? thread / kDepth + r * (kTileThreads / kDepth) : thread % kRows;
  }
  __device__ int depth_of(int s) const {
    return kAlong ? thread % kDepth : thread / kRows + s * (kTileThreads / kRows);
  }
  // Places [p, p + kDepth) along k, of which those from `end` on are 0.
  __device__ void load(Tile& tile, int64_t p, int64_t end) const {
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      const int depth = depth_of(s);
      const auto step = operand.step(p + depth);
#pragma unroll
      for (int r = 0; r < kOwnRows; ++r) {
        const float* const from = operand.at(rows[r], step);
        const bool inside = from && p + depth < end;
        ptx::copy_async(tile.at(row_of(r), depth), inside ? from : operand.data, inside);
      }
    }
  }
};

// The same for a matrix: lanes walk along that axis whose neighbours are neighbours in memory, and so
// each of a thread's elements is as far from the one before it as all are. Neighbours along k that are
// neighbours in the tile as well are copied four at a time.
template <class Tile>
struct Loader<Tile, Strided> {
  static constexpr int kRows = Tile::kRows, kDepth = Tile::kDepth;
  static constexpr int kEach = kRows * kDepth / kTileThreads;

  const float* any;
  const float* from;         // the first element, if its tile begins at 0 along k
  int64_t along_k, step;     // from one element, or four, to the next in memory
  int row, depth;            // of the first
  int row_step, depth_step;  // from one to the next
  int rows;                  // from the first to the last of the matrix
  bool by_fours = false;

  __device__ Loader(const Strided& matrix, int64_t first)
      : any(matrix.data), along_k(matrix.along_k) {
    if constexpr (Tile::kAlongDepth)
      by_fours = along_k == 1 && matrix.along_rows % kFour == 0 && are_aligned(any);
    const bool along = matrix.along_rows != 1;
    const int width = by_fours ? kFour : 1, depths = kDepth / width;  // of a row, side by side
    const int thread = threadIdx.x;
    row = along ? thread / depths : thread % kRows;
    depth = along ? thread % depths * width : thread / kRows;
    row_step = along ? kTileThreads / depths : 0;
    depth_step = along ? 0 : kTileThreads / kRows;
    rows = int(min(matrix.rows - first - row, int64_t(kRows)));
    from = any + (first + row) * matrix.along_rows + depth * along_k;
    step = row_step * matrix.along_rows + depth_step * along_k;
  }
  __device__ void load(Tile& tile, int64_t p, int64_t end) const {
    const float* const here = from + p * along_k;
    const int depths = int(min(end - p, int64_t(kDepth))) - depth;
    if constexpr (Tile::kAlongDepth) {
      if (by_fours) {
#pragma unroll
        for (int e = 0; e < kEach / kFour; ++e) {
          const int count = e * row_step < rows ? max(0, min(depths, kFour)) : 0;
          ptx::copy_four_async(tile.at(row + e * row_step, depth), count ? here + e * step : any,
                               count);
        }
        return;
      }
    }
#pragma unroll 2  // more would take more than 128 registers
    for (int e = 0; e < kEach; ++e) {
      const bool inside = e * row_step < rows && e * depth_step < depths;
      ptx::copy_async(tile.at(row + e * row_step, depth + e * depth_step),
                      inside ? here + e * step : any, inside);
    }
  }
};

// A thread's share of a kHeight x kWidth tile: 4 x 4 outputs in each 64 x 64 of it, in float32. See also
// mma.cuh. Threads of a 64 x 64, whose rows and columns these are:
//
//            0 .. 3    4 .. 7          60 .. 63
//    0 ..  3     0         1     ...       15
//    4 ..  7    16        17     ...       31
//           ...
//   60 .. 63   240       241     ...      255
template <int kTileHeight, int kTileWidth>
class FmaSums {
 public:
  static constexpr int kHeight = kTileHeight, kWidth = kTileWidth;
  static constexpr bool kIsLean = true;
  static constexpr int kDepth = 8, kStages = 4;
  static constexpr int kPad = 4;  // so that lanes that walk along k write to all banks
  template <int kRows>
  using Tile = baregrad::Tile<kRows, kDepth, false, kPad>;

  // sum += a b, for tiles of a and b.
  __device__ void add(const Tile<kHeight>& a, const Tile<kWidth>& b) {
#pragma unroll 2  // more would take more than 128 registers
    for (int d = 0; d < kDepth; ++d) {
      float x[kRowParts][kFour], y[kColumnParts][kFour];
#pragma unroll
      for (int r = 0; r < kRowParts; ++r) read_four(a.at(r * kPart + row(), d), x[r]);
#pragma unroll
      for (int c = 0; c < kColumnParts; ++c) read_four(b.at(c * kPart + column(), d), y[c]);
#pragma unroll
      for (int r = 0; r < kRowParts; ++r)
#pragma unroll
        for (int i = 0; i < kFour; ++i)
#pragma unroll
          for (int c = 0; c < kColumnParts; ++c)
#pragma unroll
            for (int j = 0; j < kFour; ++j) sum_[r][i][c][j] += x[r][i] * y[c][j];
    }
  }

  // Writes those of kPart rows of the tile.
  __device__ void put(int part, float (&to)[kPart][kWidth + kPad]) const {
#pragma unroll
    for (int r = 0; r < kRowParts; ++r)
      if (r == part)
#pragma unroll
        for (int i = 0; i < kFour; ++i)
#pragma unroll
          for (int c = 0; c < kColumnParts; ++c)
            write_four(&to[row() + i][c * kPart + column()], sum_[r][i][c]);
  }

 private:
  static constexpr int kRowParts = kHeight / kPart, kColumnParts = kWidth / kPart;
  __device__ static int row() { return threadIdx.x / kSide * kFour; }
  __device__ static int column() { return threadIdx.x % kSide * kFour; }

  float sum_[kRowParts][kFour][kColumnParts][kFour] = {};
};

// What a block has in shared memory: stages of tiles, and in the end the sums of kPart rows.
template <class Sums>
union alignas(16) TileMemory {
  struct {
    typename Sums::template Tile<Sums::kHeight> a[Sums::kStages];
    typename Sums::template Tile<Sums::kWidth> b[Sums::kStages];
  } tiles;
  float sums[kPart][Sums::kWidth + Sums::kPad];
};

// Batch s: store(s, i, j, v, count) is given c[i, j + e] = v[e] for e < count.
template <class Sums, class A, class B, class Store>
__global__ void __launch_bounds__(kTileThreads, 2)
    multiply_kernel(A a, B b, Store store, Tiling tiling) {
  __shared__ TileMemory<Sums> memory;

  // Blocks that run at the same time share rows and columns: 8 rows of tiles at a time.
  const int tiles = tiling.rows * tiling.columns, block = blockIdx.x;
  const int tile = block % tiles, split = block / tiles % tiling.splits;
  const int batch = block / tiles / tiling.splits;
  constexpr int kBand = 8;
  const int band = tile / (kBand * tiling.columns);
  const int height = min(kBand, tiling.rows - band * kBand);
  const int place = tile - band * kBand * tiling.columns;
  const int tile_row = band * kBand + place % height, tile_column = place / height;

  a.advance(batch);
  b.advance(batch);
  using TileA = typename Sums::template Tile<Sums::kHeight>;
  using TileB = typename Sums::template Tile<Sums::kWidth>;
  const Loader<TileA, A> load_a(a, int64_t(tile_row) * Sums::kHeight);
  const Loader<TileB, B> load_b(b, int64_t(tile_column) * Sums::kWidth);
  const int64_t begin = split * tiling.depth, end = min(begin + tiling.depth, tiling.k);
  const auto load = [&](int stage, int64_t p) {
    if (p < end) {
      load_a.load(memory.tiles.a[stage], p, end);
      load_b.load(memory.tiles.b[stage], p, end);
    }
    ptx::commit_copies();  // an empty group too, so that as many wait
  };

  Sums sums;
  // The first steps only copy: one loop, since the code that copies is long.
  constexpr int kDepth = Sums::kDepth, kStages = Sums::kStages, kAhead = kStages - 1;
  int stage = 0;
#pragma unroll 1
  for (int64_t p = begin - kAhead * kDepth; p < end; p += kDepth, stage = (stage + 1) % kStages) {
    if (p >= begin) {
      ptx::wait_for_copies<kAhead - 1>();
      __syncthreads();  // everybody's copies are there, and the stage before is free
    }
    load((stage + kAhead) % kStages, p + kAhead * kDepth);
    if (p >= begin) sums.add(memory.tiles.a[stage], memory.tiles.b[stage]);
  }

#pragma unroll 1
  for (int part = 0; part < Sums::kHeight / kPart; ++part) {
    __syncthreads();  // the tiles, or the sums before these, have been used
    sums.put(part, memory.sums);
    __syncthreads();
    constexpr int kFours = Sums::kWidth / kFour;
#pragma unroll 1
    for (int q = threadIdx.x; q < kPart * kFours; q += kTileThreads) {
      const int i = q / kFours, j = q % kFours * kFour;
      const int64_t y = int64_t(tile_row) * Sums::kHeight + part * kPart + i;
      const int64_t x = int64_t(tile_column) * Sums::kWidth + j;
      if (y >= tiling.m || x >= tiling.n) continue;
      const int count = int(min(int64_t(kFour), tiling.n - x));
      float v[kFour];
      read_four(&memory.sums[i][j], v);
      if (tiling.splits == 1) {
        store(batch, y, x, v, count);
      } else {
        const int64_t from = ((split * tiling.batch + batch) * tiling.m + y) * tiling.n + x;
        write(tiling.partial + from, v, count);
      }
    }
  }
}

// partial (splits, batch, m, n) -> c
template <class Store>
__global__ void __launch_bounds__(kThreads) add_splits_kernel(Store store, Tiling tiling) {
  const int64_t outputs = tiling.batch * tiling.m * tiling.n;
#pragma unroll 1
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < outputs;
       q += int64_t(gridDim.x) * blockDim.x) {
    float sum[1] = {};
    for (int64_t s = 0; s < tiling.splits; ++s) sum[0] += tiling.partial[s * outputs + q];
    const int64_t row = q / tiling.n;
    store(row / tiling.m, row % tiling.m, q % tiling.n, sum, 1);
  }
}

// How c is cut: into tiles of 128 rows, and as many columns where registers allow it, if these are
// enough for a device; else of 64 x 64, and k into splits if those are few.
inline Tiling tiling_of(bool is_lean, int64_t batch, int64_t m, int64_t n, int64_t k,
                        float* partial) {
  const bool large = m > kPart && batch * m * n >= kEnoughTiles * 128 * 128 / 2;
  const int height = large ? 2 * kPart : kPart, width = large && is_lean ? 2 * kPart : kPart;
  Tiling t = {.batch = batch,
              .m = m,
              .n = n,
              .k = k,
              .height = height,
              .width = width,
              .rows = int(divide_up(m, height)),
              .columns = int(divide_up(n, width)),
              .splits = 1,
              .depth = 0,
              .partial = partial};
  const int64_t tiles = batch * t.rows * t.columns;
  int64_t splits = 1;
  if (tiles > 0 && tiles < kEnoughTiles / 2) {
    const int64_t wanted = kEnoughTiles / tiles, most = k / kLeastSplit;
    splits = wanted < most ? wanted : most > 1 ? most : 1;
  }
  t.depth = divide_up(divide_up(k, splits), kSplitStep) * kSplitStep;
  t.splits = k > 0 ? int(divide_up(k, t.depth)) : 1;
  return t;
}

// Bytes of `partial`: none where c has enough tiles, and never more than those of 264 tiles.
inline int64_t multiply_workspace(bool is_lean, int64_t batch, int64_t m, int64_t n, int64_t k) {
  const Tiling t = tiling_of(is_lean, batch, m, n, k, nullptr);
  return t.splits == 1 ? 0 : t.splits * batch * m * n * int64_t(sizeof(float));
}

// c = a b on a stream, in the arithmetic of Sums.
template <template <int, int> class Sums, class A, class B, class Store>
void multiply(const A& a, const B& b, const Store& store, int64_t batch, int64_t m, int64_t n,
              int64_t k, float* partial, cudaStream_t stream) {
  constexpr bool kIsLean = A::kIsLean && B::kIsLean && Sums<kPart, kPart>::kIsLean;
  const Tiling t = tiling_of(kIsLean, batch, m, n, k, partial);
  const unsigned blocks = unsigned(batch * t.rows * t.columns * t.splits);
  if (blocks == 0) return;  // a grid of no blocks is an error
  using Large = Sums<2 * kPart, kIsLean ? 2 * kPart : kPart>;
  if (t.height > kPart)
    multiply_kernel<Large><<<blocks, kTileThreads, 0, stream>>>(a, b, store, t);
  else
    multiply_kernel<Sums<kPart, kPart>><<<blocks, kTileThreads, 0, stream>>>(a, b, store, t);
  if (t.splits > 1)
    add_splits_kernel<<<blocks_for(batch * m * n, kThreads), kThreads, 0, stream>>>(store, t);
}

}  // namespace baregrad
