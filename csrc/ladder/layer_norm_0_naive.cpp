// Rung 0: row by row, a pass for each mean, in double.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// x (n, d), weight, bias (d,) -> out (n, d), mean, r (n,)
void layer_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* r, int64_t n, int64_t d, double epsilon) {
  for (int64_t i = 0; i < n; ++i, x += d, out += d) {
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < d; ++j) sum += x[j];
    const double m = sum / double(d);
    for (int64_t j = 0; j < d; ++j) squares += (x[j] - m) * (x[j] - m);
    const double scale = 1 / sqrt(squares / double(d) + epsilon);
    for (int64_t j = 0; j < d; ++j) out[j] = float(weight[j] * (x[j] - m) * scale + bias[j]);
    mean[i] = float(m);
    r[i] = float(scale);
  }
}

// x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d), dweight, dbias (d,)
void layer_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* r, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t d, void*) {
  const auto h = [=](int64_t i, int64_t j) { return (double(x[i * d + j]) - mean[i]) * r[i]; };
  const auto g = [=](int64_t i, int64_t j) { return double(weight[j]) * dout[i * d + j]; };
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0, products = 0;
    for (int64_t j = 0; j < d; ++j) sum += g(i, j), products += g(i, j) * h(i, j);
    for (int64_t j = 0; j < d; ++j)
      dx[i * d + j] = float(r[i] * (g(i, j) - sum / double(d) - h(i, j) * products / double(d)));
  }
  for (int64_t j = 0; j < d; ++j) {
    double sum = 0, products = 0;
    for (int64_t i = 0; i < n; ++i) sum += dout[i * d + j], products += dout[i * d + j] * h(i, j);
    dweight[j] = float(products);
    dbias[j] = float(sum);
  }
}

int64_t layer_norm_backward_workspace(int64_t, int64_t) { return 0; }

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->layer_norm_forward = layer_norm_forward;
  table->layer_norm_backward = layer_norm_backward;
  table->layer_norm_backward_workspace = layer_norm_backward_workspace;
}
