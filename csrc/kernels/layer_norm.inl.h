// Layer normalisation (Ba, Kiros and Hinton, 2016): each row by its own mean and variance.
#include "rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// x (n, d), weight, bias (d,) -> out (n, d), mean, r (n,)
void layer_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* r, int64_t n, int64_t d, double epsilon) {
  parallel_for(n, kElementwiseGrain / (d + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* p = x + i * d;
      float* to = out + i * d;
      Totals<Plus, 1> sum, squares;
      sum.add(d, [=](auto lanes, int64_t j, Vec* t) { t[0] = lanes.read(p + j); });
      const float m = float(sum.get(0) / double(d));
      squares.add(d, [=](auto lanes, int64_t j, Vec* t) {
        const Vec away = lanes.read(p + j, m) - m;
        t[0] = away * away;
      });
      const float inverse = float(1 / __builtin_sqrt(squares.get(0) / double(d) + epsilon));
      mean[i] = m;
      r[i] = inverse;
      for_vectors(d, [=](auto lanes, int64_t j) {
        const Vec h = (lanes.read(p + j) - m) * inverse;
        lanes.write(to + j, fma(h, lanes.read(weight + j), lanes.read(bias + j)));
      });
    }
  });
}

// Rows whose parts of dweight and dbias are summed in float32, one after another: enough chunks for
// 64 threads, few enough that what they leave is little beside x.
inline int64_t layer_norm_chunk(int64_t n) { return least(divide_up(n, 64) + 3, kSumDepth); }

int64_t layer_norm_backward_workspace(int64_t n, int64_t d) {
  return divide_up(n, layer_norm_chunk(n)) * 2 * d * int64_t(sizeof(float));
}

// x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d), and parts (2, d) of dweight and dbias
inline void layer_norm_backward_rows(const float* x, const float* dout, const float* weight,
                                     const float* mean, const float* r, float* dx, float* parts,
                                     int64_t n, int64_t d) {
  for (int64_t j = 0; j < 2 * d; ++j) parts[j] = 0.f;
  for (int64_t i = 0; i < n; ++i, x += d, dout += d, dx += d) {
    const float m = mean[i], inverse = r[i];
    Totals<Plus, 2> sums;
    sums.add(d, [=](auto lanes, int64_t j, Vec* t) {
      t[0] = lanes.read(weight + j) * lanes.read(dout + j);
      t[1] = t[0] * (lanes.read(x + j, m) - m);
    });
    const double over = 1 / double(d);
    const Vec g_mean = broadcast(float(sums.get(0) * over));
    const Vec slope = broadcast(float(sums.get(1) * inverse * over));
    for_vectors(d, [=](auto lanes, int64_t j) {
      const Vec h = (lanes.read(x + j) - m) * inverse, up = lanes.read(dout + j);
      const Vec g = lanes.read(weight + j) * up;
      lanes.write(dx + j, inverse * (g - g_mean - h * slope));
      lanes.write(parts + j, fma(up, h, lanes.read(parts + j)));
      lanes.write(parts + d + j, lanes.read(parts + d + j) + up);
    });
  }
}

// x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d), dweight, dbias (d,)
void layer_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* r, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t d, void* workspace) {
  float* parts = static_cast<float*>(workspace);
  const int64_t rows = layer_norm_chunk(n), chunks = divide_up(n, rows);
  parallel_for(chunks, kElementwiseGrain / (rows * d + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t i = chunk * rows;
      layer_norm_backward_rows(x + i * d, dout + i * d, weight, mean + i, r + i, dx + i * d,
                               parts + chunk * 2 * d, least(rows, n - i), d);
    }
  });
  for_columns(2 * chunks, d, [=](int64_t column, int64_t columns) {
    double total[2][kColumns];
    const auto row = [=](int64_t chunk) { return parts + chunk * 2 * d + column; };
    fold_columns<Plus>(chunks, columns, total, row,
                       [=](auto lanes, const float* part, int64_t j, Vec* t) {
                         t[0] = lanes.read(part + j);
                         t[1] = lanes.read(part + d + j);
                       });
    for (int64_t j = 0; j < columns; ++j) {
      dweight[column + j] = float(total[0][j]);
      dbias[column + j] = float(total[1][j]);
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
