// GEMM after Goto and van de Geijn (2008): operands are packed into slivers that a small kernel
// reads in order, one tile of the output held in registers while k runs.
//
// From the inside: a tile of kTileRows x kTileColumns sums lives in registers; a sliver of b
// (kBlockK x kTileColumns: 16 to 64 KiB) is used again and again while slivers of a stream past it;
// a task computes kTaskRows x kTaskColumns of c, so that its part of a stays in the second-level
// cache; a panel is what is packed at a time. Tiles and kBlockK belong to the instruction set
// (isa/<isa>.cpp).

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kTileColumns = kTileVectors * kLanes;
constexpr int64_t kTaskRows = kTileRows * 6, kTaskColumns = 128;
constexpr int64_t kPanelRows = kTaskRows * 48;  // with kBlockK 512: 2 to 8 MiB of a
constexpr int64_t kPanelColumns = 4096;         // 8 MiB of b

// Multiply-adds below which a second thread does not pay: 2 Mi take about 40 us on one.
constexpr double kSerialWork = 1 << 21;

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

// a (k, kTileRows), b (k, kTileColumns) -> tile = a' b
// A function of its own: inlined, its sums would compete for registers with its caller's indices.
__attribute__((noinline)) void multiply_slivers(const float* a, const float* b, int64_t k,
                                                Tile& tile) {
  Vec sum[kTileRows][kTileVectors] = {};
  for (int64_t p = 0; p < k; ++p, a += kTileRows, b += kTileColumns) {
    Vec row[kTileVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) row[j] = load(b + j * kLanes);
#pragma GCC unroll 32
    for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kTileVectors; ++j) sum[i][j] = fma(broadcast(a[i]), row[j], sum[i][j]);
  }
#pragma GCC unroll 32
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kTileVectors; ++j) tile[i][j] = sum[i][j];
}

// What becomes of a product: c = alpha product + beta c + bias.
struct Update {
  float alpha, beta;
  const float* bias;  // or null

  Vec operator()(Vec product, Vec c, Vec b) const {
    Vec out = broadcast(alpha) * product;
    if (beta != 0) out = fma(broadcast(beta), c, out);  // with beta 0, c may hold NaN
    return bias ? out + b : out;
  }
};

// tile -> c (rows, columns), strides row and column; update.bias starts at this tile's column.
inline void store_tile(const Tile& tile, float* c, int64_t row, int64_t column, int64_t rows,
                       int64_t columns, const Update& update) {
  for (int64_t i = 0; i < rows; ++i, c += row) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const int64_t n = columns - j;
      const Vec bias = update.bias ? load_upto(update.bias + j, n) : Vec{};
      if (column == 1) {
        const Vec before = update.beta != 0 ? load_upto(c + j, n) : Vec{};
        store_upto(c + j, update(tile[i][j / kLanes], before, bias), n);
        continue;
      }
      float* place = c + j * column;
      Vec before = {};
      for (int64_t l = 0; l < least(n, kLanes) && update.beta != 0; ++l)
        before[l] = place[l * column];
      const Vec out = update(tile[i][j / kLanes], before, bias);
      for (int64_t l = 0; l < least(n, kLanes); ++l) place[l * column] = out[l];
    }
  }
}

int64_t gemm_workspace(GemmSize size) {
  const int64_t k = least(size.k, kBlockK);
  const int64_t rows = round_up(least(size.m, kPanelRows), kTileRows);
  const int64_t columns = round_up(least(size.n, kPanelColumns), kTileColumns);
  return (rows + columns) * k * int64_t(sizeof(float));
}

// packed_a (m / kTileRows slivers), packed_b (n / kTileColumns slivers) -> c (m, n)
void multiply_packed(const float* packed_a, const float* packed_b, Matrix c, int64_t m, int64_t n,
                     int64_t k, const Update& update, bool serial) {
  const int64_t row_tasks = divide_up(m, kTaskRows), tasks = row_tasks * divide_up(n, kTaskColumns);
  parallel_for(tasks, serial ? tasks : 1, [=](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t i0 = task % row_tasks * kTaskRows, i1 = least(i0 + kTaskRows, m);
      const int64_t j0 = task / row_tasks * kTaskColumns, j1 = least(j0 + kTaskColumns, n);
      for (int64_t j = j0; j < j1; j += kTileColumns)
        for (int64_t i = i0; i < i1; i += kTileRows) {
          Tile tile;
          multiply_slivers(packed_a + i * k, packed_b + j * k, k, tile);
          Update here = update;
          if (here.bias) here.bias += j;
          store_tile(tile, c.data + i * c.row + j * c.col, c.row, c.col, least(kTileRows, i1 - i),
                     least(kTileColumns, j1 - j), here);
        }
    }
  });
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* workspace) {
  float* packed_a = static_cast<float*>(workspace);
  float* packed_b =
      packed_a + round_up(least(size.m, kPanelRows), kTileRows) * least(size.k, kBlockK);
  const bool serial = double(size.m) * double(size.n) * double(size.k) < kSerialWork;

  for (int64_t batch = 0; batch < size.batch; ++batch)
    for (int64_t n0 = 0; n0 < size.n; n0 += kPanelColumns) {
      const int64_t n = least(size.n - n0, kPanelColumns);
      // One turn even if k is 0: c = beta c + bias.
      for (int64_t k0 = 0; k0 == 0 || k0 < size.k; k0 += kBlockK) {
        const int64_t k = least(size.k - k0, kBlockK);
        const float* b_block = b.data + batch * b.batch + k0 * b.row + n0 * b.col;
        const int64_t slivers = divide_up(n, kTileColumns);
        parallel_for(slivers, serial ? slivers : 8, [=](int64_t begin, int64_t end) {
          for (int64_t j = begin * kTileColumns; j < end * kTileColumns; j += kTileColumns)
            pack_sliver<kTileColumns>(b_block + j * b.col, b.row, b.col, least(n - j, kTileColumns),
                                      k, packed_b + j * k);
        });
        // The first block of k brings beta and bias; later ones add to what is there.
        Update update = {alpha, 1.f, nullptr};
        if (k0 == 0) update = {alpha, beta, bias ? bias + n0 : nullptr};

        for (int64_t m0 = 0; m0 < size.m; m0 += kPanelRows) {
          const int64_t m = least(size.m - m0, kPanelRows);
          const float* a_block = a.data + batch * a.batch + m0 * a.row + k0 * a.col;
          const int64_t a_slivers = divide_up(m, kTileRows);
          parallel_for(a_slivers, serial ? a_slivers : 8, [=](int64_t begin, int64_t end) {
            for (int64_t i = begin * kTileRows; i < least(end * kTileRows, m); i += kTileRows)
              pack_sliver<kTileRows>(a_block + i * a.row, a.col, a.row, least(m - i, kTileRows), k,
                                     packed_a + i * k);
          });
          Matrix c_block = c;
          c_block.data += batch * c.batch + m0 * c.row + n0 * c.col;
          multiply_packed(packed_a, packed_b, c_block, m, n, k, update, serial);
        }
      }
    }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
