// GEMM: operands of any strides, c = alpha a b + beta c + bias.
#include "blocked.inl.h"
#include "few_rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// What becomes of a product: c = alpha product + beta c + bias.
struct Update {
  float alpha, beta;
  const float* bias;  // of the first column, or null
  int64_t step;       // from the bias of a column to that of the next

  Vec operator()(Vec product, Vec c, Vec b) const {
    Vec out = broadcast(alpha) * product;
    if (beta != 0) out = fma(broadcast(beta), c, out);  // with beta 0, c may hold NaN
    return bias ? out + b : out;
  }

  // product (n,) -> c (n,), `column` floats apart
  void operator()(const float* product, float* c, int64_t column, int64_t n) const {
    for (int64_t j = 0; j < n; j += kLanes, c += kLanes * column) {
      const int64_t lanes = least(n - j, kLanes);
      Vec b = bias && step == 0 ? broadcast(*bias) : Vec{}, before = {};
      if (bias && step != 0) b = load_upto(bias + j, n - j);
      const Vec sum = load(product + j);
      if (column == 1) {
        if (beta != 0) before = load_upto(c, n - j);
        store_upto(c, (*this)(sum, before, b), n - j);
        continue;
      }
      for (int64_t l = 0; l < lanes && beta != 0; ++l) before[l] = c[l * column];
      const Vec out = (*this)(sum, before, b);
      for (int64_t l = 0; l < lanes; ++l) c[l * column] = out[l];
    }
  }
};

// The products of few rows, and those of few columns, which are of few rows in the transpose, unless
// b then lies neither by rows nor by columns.
struct Few {
  ConstMatrix a, b;
  Matrix c;
  GemmSize size;
  int64_t bias_row, bias_column;

  bool fits() const { return has_few_rows(b, size); }
  Few transposed() const {
    const auto turn = [](auto x) { return decltype(x){x.data, x.batch, x.col, x.row}; };
    return {turn(b), turn(a), turn(c), {size.batch, size.n, size.m, size.k}, bias_column, bias_row};
  }

  void multiply(float alpha, float beta, const float* bias, float* workspace) const {
    multiply_few(
        a, b, size,
        [=, *this](const float* sums, int64_t j, int64_t columns) {
          for (int64_t i = 0; i < size.m; ++i) {
            const float* from = bias ? bias + i * bias_row + j * bias_column : nullptr;
            const Update update = {alpha, beta, from, bias_column};
            update(sums + i * near_columns(size.m), c.data + i * c.row + j * c.col, c.col, columns);
          }
        },
        workspace);
  }
};

int64_t gemm_workspace(GemmSize size) {
  const auto few = [&](int64_t rows) {
    return rows <= kFewRows ? rows * least(size.k, kMostTerms) : 0;
  };
  const int64_t product = product_floats({size.m, size.n, size.k});
  return most(product, most(few(size.m), few(size.n))) * int64_t(sizeof(float));
}

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void* workspace) {
  float* floats = static_cast<float*>(workspace);
  for (int64_t batch = 0; batch < size.batch;
       ++batch, a.data += a.batch, b.data += b.batch, c.data += c.batch) {
    const Few few = {a, b, c, size, 0, 1};
    if (few.fits()) {
      few.multiply(alpha, beta, bias, floats);
      continue;
    }
    if (few.transposed().fits()) {
      few.transposed().multiply(alpha, beta, bias, floats);
      continue;
    }
    const auto pack_a = [=](int64_t i, int64_t rows, int64_t height, int64_t k0, int64_t k,
                            float* sliver) {
      pack_sliver(a.data + i * a.row + k0 * a.col, a.col, a.row, rows, height, k, sliver);
    };
    const auto pack_b = [=](int64_t j, int64_t columns, int64_t k0, int64_t k, float* sliver) {
      pack_sliver(b.data + k0 * b.row + j * b.col, b.row, b.col, columns, kTileColumns, k, sliver);
    };
    const auto store = [=](const Tile& tile, const ProductPart& part) {
      // The first block of k brings beta and bias; later ones add to what is there.
      Update update = {alpha, 1.f, nullptr, 1};
      if (part.first) update = {alpha, beta, bias ? bias + part.column : nullptr, 1};
      float* to = c.data + part.row * c.row + part.column * c.col;
      for (int64_t i = 0; i < part.rows; ++i, to += c.row)
        update(reinterpret_cast<const float*>(tile[i]), to, c.col, part.columns);
    };
    multiply_blocked({size.m, size.n, size.k}, pack_a, pack_b, store, floats);
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
