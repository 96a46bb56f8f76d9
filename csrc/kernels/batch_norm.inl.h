// Batch normalisation as in training (Ioffe and Szegedy, 2015): a thread takes whole channels, so
// that what it reads three times is still in its cache, and no sum is cut. With one pixel an image
// is a number, and channels lie side by side in the vectors.
#include "rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

inline double inverse_deviation(double var, double epsilon) {
  return 1 / __builtin_sqrt(var + epsilon);
}

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,), for channels [begin, end)
void batch_norm_forward_images(const float* x, const float* weight, const float* bias, float* out,
                               float* mean, float* var, int64_t n, int64_t c, int64_t s,
                               double epsilon, int64_t begin, int64_t end) {
  const double count = double(n) * double(s);
  for (int64_t k = begin; k < end; ++k) {
    Totals<Plus, 1> sum, squares;
    for (int64_t i = 0; i < n; ++i) {
      const float* p = x + (i * c + k) * s;
      sum.add(s, [=](auto lanes, int64_t j, Vec* t) { t[0] = lanes.read(p + j); });
    }
    const float m = float(sum.get(0) / count);
    for (int64_t i = 0; i < n; ++i) {
      const float* p = x + (i * c + k) * s;
      squares.add(s, [=](auto lanes, int64_t j, Vec* t) {
        const Vec away = lanes.read(p + j, m) - m;
        t[0] = away * away;
      });
    }
    const double v = squares.get(0) / count;
    mean[k] = m;
    var[k] = float(v);
    const Vec factor = broadcast(float(weight[k] * inverse_deviation(v, epsilon)));
    const Vec shift = broadcast(bias[k]);
    for (int64_t i = 0; i < n; ++i) {
      const float* p = x + (i * c + k) * s;
      float* to = out + (i * c + k) * s;
      for_vectors(s, [=](auto lanes, int64_t j) {
        lanes.write(to + j, fma(lanes.read(p + j) - m, factor, shift));
      });
    }
  }
}

// x (n, c), weight, bias (c,) -> out (n, c), mean, var (c,), for columns <= kColumns from column
void batch_norm_forward_columns(const float* x, const float* weight, const float* bias, float* out,
                                float* mean, float* var, int64_t n, int64_t c, double epsilon,
                                int64_t column, int64_t columns) {
  x += column, out += column, weight += column, bias += column, mean += column, var += column;
  const auto row = [=](int64_t i) { return x + i * c; };
  double total[1][kColumns];
  fold_columns<Plus>(n, columns, total, row, [](auto lanes, const float* p, int64_t j, Vec* t) {
    t[0] = lanes.read(p + j);
  });
  for (int64_t j = 0; j < columns; ++j) mean[j] = float(total[0][j] / double(n));
  fold_columns<Plus>(n, columns, total, row, [=](auto lanes, const float* p, int64_t j, Vec* t) {
    const Vec away = lanes.read(p + j) - lanes.read(mean + j);
    t[0] = away * away;
  });
  float factor[kColumns];
  for (int64_t j = 0; j < columns; ++j) {
    const double v = total[0][j] / double(n);
    var[j] = float(v);
    factor[j] = float(weight[j] * inverse_deviation(v, epsilon));
  }
  for_short_rows(n, [&](int64_t i) {
    for_vectors(columns, [&](auto lanes, int64_t j) {
      const Vec away = lanes.read(x + i * c + j) - lanes.read(mean + j);
      lanes.write(out + i * c + j, fma(away, lanes.read(factor + j), lanes.read(bias + j)));
    });
  });
}

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,)
void batch_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* var, int64_t n, int64_t c, int64_t s, double epsilon) {
  if (s == 1)
    return for_columns(n, c, [=](int64_t column, int64_t columns) {
      batch_norm_forward_columns(x, weight, bias, out, mean, var, n, c, epsilon, column, columns);
    });
  parallel_for(c, kElementwiseGrain / (n * s + 1) + 1, [=](int64_t begin, int64_t end) {
    batch_norm_forward_images(x, weight, bias, out, mean, var, n, c, s, epsilon, begin, end);
  });
}

// dx = factor (dout - dout_mean - (x - mean) slope): the numbers of one channel, or of a vector
struct BatchNormSlope {
  Vec factor, dout_mean, slope, mean;
  Vec operator()(Vec x, Vec dout) const { return factor * fma(mean - x, slope, dout - dout_mean); }
};

// x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,), for channels
void batch_norm_backward_images(const float* x, const float* dout, const float* weight,
                                const float* mean, const float* var, float* dx, float* dweight,
                                float* dbias, int64_t n, int64_t c, int64_t s, double epsilon,
                                int64_t begin, int64_t end) {
  const double count = double(n) * double(s);
  for (int64_t k = begin; k < end; ++k) {
    const double r = inverse_deviation(var[k], epsilon);
    const float m = mean[k];
    Totals<Plus, 2> sums;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t from = (i * c + k) * s;
      sums.add(s, [=](auto lanes, int64_t j, Vec* t) {
        t[0] = lanes.read(dout + from + j);
        t[1] = t[0] * (lanes.read(x + from + j, m) - m);
      });
    }
    const double sum = sums.get(0), product = sums.get(1) * r;
    dbias[k] = float(sum);
    dweight[k] = float(product);
    const BatchNormSlope back = {broadcast(float(weight[k] * r)), broadcast(float(sum / count)),
                                 broadcast(float(r * product / count)), broadcast(m)};
    for (int64_t i = 0; i < n; ++i) {
      const int64_t from = (i * c + k) * s;
      for_vectors(s, [=](auto lanes, int64_t j) {
        lanes.write(dx + from + j, back(lanes.read(x + from + j), lanes.read(dout + from + j)));
      });
    }
  }
}

// x, dout (n, c), weight, mean, var (c,) -> dx (n, c), dweight, dbias (c,), for columns <= kColumns
void batch_norm_backward_columns(const float* x, const float* dout, const float* weight,
                                 const float* mean, const float* var, float* dx, float* dweight,
                                 float* dbias, int64_t n, int64_t c, double epsilon, int64_t column,
                                 int64_t columns) {
  x += column, dout += column, dx += column, weight += column, mean += column, var += column;
  dweight += column, dbias += column;
  const auto row = [=](int64_t i) { return i * c; };
  double total[2][kColumns];
  fold_columns<Plus>(n, columns, total, row, [=](auto lanes, int64_t from, int64_t j, Vec* t) {
    t[0] = lanes.read(dout + from + j);
    t[1] = t[0] * (lanes.read(x + from + j) - lanes.read(mean + j));
  });
  float factor[kColumns], dout_mean[kColumns], slope[kColumns];
  for (int64_t j = 0; j < columns; ++j) {
    const double r = inverse_deviation(var[j], epsilon), product = total[1][j] * r;
    dbias[j] = float(total[0][j]);
    dweight[j] = float(product);
    factor[j] = float(weight[j] * r);
    dout_mean[j] = float(total[0][j] / double(n));
    slope[j] = float(r * product / double(n));
  }
  for_short_rows(n, [&](int64_t i) {
    for_vectors(columns, [&](auto lanes, int64_t j) {
      const BatchNormSlope back = {lanes.read(factor + j), lanes.read(dout_mean + j),
                                   lanes.read(slope + j), lanes.read(mean + j)};
      lanes.write(dx + i * c + j, back(lanes.read(x + i * c + j), lanes.read(dout + i * c + j)));
    });
  });
}

// x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)
void batch_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* var, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t c, int64_t s, double epsilon) {
  if (s == 1)
    return for_columns(n, c, [=](int64_t column, int64_t columns) {
      batch_norm_backward_columns(x, dout, weight, mean, var, dx, dweight, dbias, n, c, epsilon,
                                  column, columns);
    });
  parallel_for(c, kElementwiseGrain / (n * s + 1) + 1, [=](int64_t begin, int64_t end) {
    batch_norm_backward_images(x, dout, weight, mean, var, dx, dweight, dbias, n, c, s, epsilon,
                               begin, end);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
