// GEMM: operands of any strides, c = alpha a b + beta c + bias.
#include "blocked.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

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
  return product_floats({size.m, size.n, size.k}) * int64_t(sizeof(float));
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* workspace) {
  for (int64_t batch = 0; batch < size.batch;
       ++batch, a.data += a.batch, b.data += b.batch, c.data += c.batch) {
    const auto pack_a = [=](int64_t i, int64_t rows, int64_t height, int64_t k0, int64_t k,
                            float* sliver) {
      pack_sliver(a.data + i * a.row + k0 * a.col, a.col, a.row, rows, height, k, sliver);
    };
    const auto pack_b = [=](int64_t j, int64_t columns, int64_t k0, int64_t k, float* sliver) {
      pack_sliver(b.data + k0 * b.row + j * b.col, b.row, b.col, columns, kTileColumns, k, sliver);
    };
    const auto store = [=](const Tile& tile, const ProductPart& part) {
      // The first block of k brings beta and bias; later ones add to what is there.
      Update update = {alpha, 1.f, nullptr};
      if (part.first) update = {alpha, beta, bias ? bias + part.column : nullptr};
      store_tile(tile, c.data + part.row * c.row + part.column * c.col, c.row, c.col, part.rows,
                 part.columns, update);
    };
    multiply_blocked({size.m, size.n, size.k}, pack_a, pack_b, store,
                     static_cast<float*>(workspace));
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
