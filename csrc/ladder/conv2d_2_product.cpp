// Rung 2: the same columns, and the product of the GEMM in use. That is a ladder of its own; what
// is left is that all columns of an image, nine times its size for 3x3, go to memory and come back.
#include "../kernels.h"

namespace {

using namespace baregrad;

Kernels package;  // the table in use, whose slots do the work

// The product of one group: filters (m), pixels (n), cells of a window (k).
GemmSize product(const Conv2dSize& s) {
  return {1, s.o / s.groups, s.oh * s.ow, s.c / s.groups * s.kh * s.kw};
}
Conv2dSize one_image(Conv2dSize s) {
  s.n = 1;
  return s;
}

// Floats of columns (c kh kw, oh ow) of an image, in whole cache lines.
int64_t column_floats(const Conv2dSize& s) {
  return (s.c * s.kh * s.kw * s.oh * s.ow + 15) / 16 * 16;
}
int64_t workspace(const Conv2dSize& s, GemmSize size) {
  return column_floats(s) * int64_t(sizeof(float)) + package.gemm_workspace(size);
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow) = weight columns
void forward(const float* x, const float* weight, const float* bias, float* out, Conv2dSize s,
             void* scratch) {
  float* columns = static_cast<float*>(scratch);
  const auto size = product(s);
  const auto [_, m, n, k] = size;
  for (int64_t image = 0; image < s.n; ++image) {
    package.im2col(x + image * s.c * s.h * s.w, columns, one_image(s));
    for (int64_t g = 0; g < s.groups; ++g) {
      float* to = out + (image * s.groups + g) * m * n;
      for (int64_t q = 0; q < m * n; ++q) to[q] = bias ? bias[g * m + q / n] : 0;
      package.gemm({weight + g * m * k, 0, k, 1}, {columns + g * k * n, 0, n, 1}, nullptr,
                   {to, 0, n, 1}, size, 1, 1, columns + column_floats(s));
    }
  }
}

int64_t forward_workspace(Conv2dSize s) { return workspace(s, product(s)); }

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w): columns = weight' dout
void backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                    void* scratch) {
  float* columns = static_cast<float*>(scratch);
  const auto [_, m, n, k] = product(s);
  for (int64_t image = 0; image < s.n; ++image) {
    for (int64_t g = 0; g < s.groups; ++g)
      package.gemm({weight + g * m * k, 0, 1, k}, {dout + (image * s.groups + g) * m * n, 0, n, 1},
                   nullptr, {columns + g * k * n, 0, n, 1}, {1, k, n, m}, 1, 0,
                   columns + column_floats(s));
    package.col2im(columns, dx + image * s.c * s.h * s.w, one_image(s));
  }
}

int64_t backward_input_workspace(Conv2dSize s) {
  const auto [_, m, n, k] = product(s);
  return workspace(s, {1, k, n, m});
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw) = dout columns'
void backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s,
                     void* scratch) {
  float* columns = static_cast<float*>(scratch);
  const auto [_, m, n, k] = product(s);
  for (int64_t q = 0; q < s.groups * m * k; ++q) dweight[q] = 0;
  for (int64_t image = 0; image < s.n; ++image) {
    package.im2col(x + image * s.c * s.h * s.w, columns, one_image(s));
    for (int64_t g = 0; g < s.groups; ++g)
      package.gemm({dout + (image * s.groups + g) * m * n, 0, n, 1}, {columns + g * k * n, 0, 1, n},
                   nullptr, {dweight + g * m * k, 0, k, 1}, {1, m, k, n}, 1, 1,
                   columns + column_floats(s));
  }
}

int64_t backward_weight_workspace(Conv2dSize s) {
  const auto [_, m, n, k] = product(s);
  return workspace(s, {1, m, k, n});
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package = *table;
  table->conv2d_forward = forward;
  table->conv2d_backward_input = backward_input;
  table->conv2d_backward_weight = backward_weight;
  table->conv2d_forward_workspace = forward_workspace;
  table->conv2d_backward_input_workspace = backward_input_workspace;
  table->conv2d_backward_weight_workspace = backward_weight_workspace;
}
