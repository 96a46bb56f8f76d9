// Rung 0: the definition, row by row, in double and with the C library's exp.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// x (c,) -> sum exp(x - max x), and that max: exp would overflow without it
double sum_of_exponentials(const float* x, int64_t c, double* max) {
  double sum = 0;
  *max = -INFINITY;
  for (int64_t j = 0; j < c; ++j) *max = x[j] > *max ? x[j] : *max;
  for (int64_t j = 0; j < c; ++j) sum += exp(x[j] - *max);
  return sum;
}

// x (n, c) -> out (n, c) = exp(x) / sum exp(x)
void softmax_forward(const float* x, float* out, int64_t n, int64_t c) {
  for (int64_t i = 0; i < n; ++i, x += c, out += c) {
    double max;
    const double sum = sum_of_exponentials(x, c, &max);
    for (int64_t j = 0; j < c; ++j) out[j] = float(exp(x[j] - max) / sum);
  }
}

// x (n, c) -> out (n, c) = x - log sum exp(x)
void log_softmax_forward(const float* x, float* out, int64_t n, int64_t c) {
  for (int64_t i = 0; i < n; ++i, x += c, out += c) {
    double max;
    const double log_sum = log(sum_of_exponentials(x, c, &max));
    for (int64_t j = 0; j < c; ++j) out[j] = float(x[j] - max - log_sum);
  }
}

// saved (n, c), dout (n, c) -> dx (n, c) = saved (dout - sum saved dout)
void softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c) {
  for (int64_t i = 0; i < n; ++i, saved += c, dout += c, dx += c) {
    double sum = 0;
    for (int64_t j = 0; j < c; ++j) sum += double(saved[j]) * dout[j];
    for (int64_t j = 0; j < c; ++j) dx[j] = float(saved[j] * (dout[j] - sum));
  }
}

// saved (n, c), dout (n, c) -> dx (n, c) = dout - exp(saved) sum dout
void log_softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c) {
  for (int64_t i = 0; i < n; ++i, saved += c, dout += c, dx += c) {
    double sum = 0;
    for (int64_t j = 0; j < c; ++j) sum += dout[j];
    for (int64_t j = 0; j < c; ++j) dx[j] = float(dout[j] - exp(double(saved[j])) * sum);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->softmax_forward = softmax_forward;
  table->log_softmax_forward = log_softmax_forward;
  table->softmax_backward = softmax_backward;
  table->log_softmax_backward = log_softmax_backward;
}
