// Rung 0: one element at a time, and the bias gradient a running sum.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

double formula(UnaryKind kind, double x) {
  if (kind == unary_relu) return x <= 0 ? 0 : x;
  return kind == unary_sigmoid ? 1 / (1 + exp(-x)) : tanh(x);
}

double gradient(UnaryKind kind, double out, double dout) {
  if (kind == unary_relu) return out <= 0 ? 0 : dout;  // also of NaN and infinity
  return (kind == unary_sigmoid ? out * (1 - out) : 1 - out * out) * dout;
}

// x (n, c, s), bias (c,) -> out (n, c, s)
void bias_activation_forward(UnaryKind kind, const float* x, const float* bias, float* out,
                             int64_t n, int64_t c, int64_t s) {
  for (int64_t q = 0; q < n * c * s; ++q) out[q] = float(formula(kind, x[q] + bias[q / s % c]));
}

// saved (n, c, s), dout (n, c, s) -> dx (n, c, s), dbias (c,)
void bias_activation_backward(UnaryKind kind, const float* saved, const float* dout, float* dx,
                              float* dbias, int64_t n, int64_t c, int64_t s) {
  for (int64_t channel = 0; channel < c; ++channel) {
    double sum = 0;
    for (int64_t image = 0; image < n; ++image)
      for (int64_t pixel = 0; pixel < s; ++pixel) {
        const int64_t q = (image * c + channel) * s + pixel;
        dx[q] = float(gradient(kind, saved[q], dout[q]));
        sum += dx[q];
      }
    dbias[channel] = float(sum);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->bias_activation_forward = bias_activation_forward;
  table->bias_activation_backward = bias_activation_backward;
}
