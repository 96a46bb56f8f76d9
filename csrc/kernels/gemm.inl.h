// GEMM: operands of any strides, c = alpha a b + beta c + bias.
#include "blocked.inl.h"
#include "few_rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

inline Matrix from_on(Matrix c, int64_t i, int64_t j) {
  return {c.data + i * c.row + j * c.col, c.batch, c.row, c.col};
}

// What becomes of a product: c = alpha product + beta c + bias.
struct Update {
  float alpha, beta;
  const float* bias;              // of the first row and column, or null
  int64_t bias_row, bias_column;  // from the bias of one to that of the next: 0 and 1, or 1 and 0

  // sums (rows, columns), whole vectors, rows `step` apart -> c
  void operator()(const float* sums, int64_t step, Matrix c, int64_t rows, int64_t columns) const {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const int64_t n = least(columns - j, kLanes);
      Vec b = bias && bias_column ? load_upto(bias + j, n) : Vec{};
      for (int64_t i = 0; i < rows; ++i) {
        float* to = c.data + i * c.row + j * c.col;
        Vec out = broadcast(alpha) * load(sums + i * step + j);
        if (beta != 0) out = fma(broadcast(beta), load_apart(to, c.col, n), out);  // c may be NaN
        if (bias && bias_row) b = broadcast(bias[i]);
        if (bias) out += b;
        store_apart(to, c.col, out, n);
      }
    }
  }

  static Vec load_apart(const float* from, int64_t step, int64_t n) {
    if (step == 1) return load_upto(from, n);
    Vec v = {};
    for (int64_t l = 0; l < n; ++l) v[l] = from[l * step];
    return v;
  }
  static void store_apart(float* to, int64_t step, Vec v, int64_t n) {
    if (step == 1) return store_upto(to, v, n);
    for (int64_t l = 0; l < n; ++l) to[l * step] = v[l];
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
          const float* from = bias ? bias + j * bias_column : nullptr;
          const Update update = {alpha, beta, from, bias_row, bias_column};
          update(sums, near_columns(size.m), from_on(c, 0, j), size.m, columns);
        },
        workspace);
  }
};

// Where the tiles of a product go.
struct Result {
  Matrix c;
  float alpha, beta;
  const float* bias;  // of the first column, or null

  Place place(const ProductPart& part) const {
    const bool as_it_is = alpha == 1 && c.col == 1;
    if (!as_it_is || (part.first && (bias || (beta != 0 && beta != 1)))) return {};
    return {.data = c.data + part.row * c.row + part.column,
            .row = c.row,
            .add = !part.first || beta == 1,
            .last = last_lanes(part.columns)};
  }

  void operator()(const Tile& tile, const ProductPart& part) const {
    // The first block of k brings beta and bias; later ones add to what is there.
    Update update = {alpha, 1.f, nullptr, 0, 1};
    if (part.first) update = {alpha, beta, bias ? bias + part.column : nullptr, 0, 1};
    update(tile[0], kTileColumns, from_on(c, part.row, part.column), part.rows, part.columns);
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
    const ProductSize product = {size.m, size.n, size.k};
    multiply_blocked(product, left_operand(a.data, a.row, a.col),
                     right_operand(b.data, b.row, b.col, product), Result{c, alpha, beta, bias},
                     floats);
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
