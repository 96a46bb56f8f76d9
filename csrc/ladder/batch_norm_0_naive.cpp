// Rung 0: channel by channel, a pass for each sum, in double.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// The sum of term(q) over the elements q of a channel of (n, c, s).
template <class Term>
double sum_channel(int64_t channel, int64_t n, int64_t c, int64_t s, Term term) {
  double sum = 0;
  for (int64_t image = 0; image < n; ++image)
    for (int64_t pixel = 0; pixel < s; ++pixel) sum += term((image * c + channel) * s + pixel);
  return sum;
}

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,)
void batch_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* var, int64_t n, int64_t c, int64_t s, double epsilon) {
  for (int64_t k = 0; k < c; ++k) {
    const double count = double(n * s);
    const double m = sum_channel(k, n, c, s, [=](int64_t q) { return x[q]; }) / count;
    const double v =
        sum_channel(k, n, c, s, [=](int64_t q) { return (x[q] - m) * (x[q] - m); }) / count;
    const double r = 1 / sqrt(v + epsilon);
    sum_channel(k, n, c, s,
                [=](int64_t q) { return out[q] = float(weight[k] * (x[q] - m) * r + bias[k]); });
    mean[k] = float(m);
    var[k] = float(v);
  }
}

// x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)
void batch_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* var, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t c, int64_t s, double epsilon) {
  for (int64_t k = 0; k < c; ++k) {
    const double count = double(n * s), r = 1 / sqrt(var[k] + epsilon), m = mean[k];
    const auto h = [=](int64_t q) { return (x[q] - m) * r; };
    const double db = sum_channel(k, n, c, s, [=](int64_t q) { return dout[q]; });
    const double dw = sum_channel(k, n, c, s, [=](int64_t q) { return dout[q] * h(q); });
    sum_channel(k, n, c, s, [=](int64_t q) {
      return dx[q] = float(weight[k] * r * (dout[q] - db / count - h(q) * dw / count));
    });
    dweight[k] = float(dw);
    dbias[k] = float(db);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->batch_norm_forward = batch_norm_forward;
  table->batch_norm_backward = batch_norm_backward;
}
