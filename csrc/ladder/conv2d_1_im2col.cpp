// Rung 1: every window a column of a matrix, then three plain loops. Padding is looked for once for
// each cell of a window, no more for each multiply-add.
#include "../kernels.h"

namespace {

using namespace baregrad;

// The columns of one group of one image: (c / groups kh kw) x (oh ow).
int64_t workspace(Conv2dSize s) {
  return s.c / s.groups * s.kh * s.kw * s.oh * s.ow * int64_t(sizeof(float));
}

// visit(column, pixel) for each cell of each window that lies inside the image; both are indices,
// of columns (c kh kw, oh ow) and of x (c, h, w).
template <class Visit>
void for_each_cell(const Conv2dSize& s, Visit visit) {
  int64_t column = 0;
  for (int64_t c = 0; c < s.c / s.groups; ++c)
    for (int64_t i = 0; i < s.kh; ++i)
      for (int64_t j = 0; j < s.kw; ++j)
        for (int64_t oy = 0; oy < s.oh; ++oy)
          for (int64_t ox = 0; ox < s.ow; ++ox, ++column) {
            const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
            const int64_t x = ox * s.stride_w + j * s.dilation_w - s.pad_w;
            if (y >= 0 && y < s.h && x >= 0 && x < s.w) visit(column, (c * s.h + y) * s.w + x);
          }
}

// One group of one image: where it starts in each array, and the sizes of its product.
struct Group {
  int64_t x, out, weight, bias, m, n, k;

  Group(const Conv2dSize& s, int64_t image, int64_t g) {
    m = s.o / s.groups, n = s.oh * s.ow, k = s.c / s.groups * s.kh * s.kw;
    x = (image * s.groups + g) * (s.c / s.groups) * s.h * s.w;
    out = (image * s.groups + g) * m * n;
    weight = g * m * k;
    bias = g * m;
  }
};

void im2col(const float* x, float* columns, const Conv2dSize& s, const Group& group) {
  for (int64_t q = 0; q < group.k * group.n; ++q) columns[q] = 0;
  for_each_cell(s, [=](int64_t column, int64_t pixel) { columns[column] = x[group.x + pixel]; });
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow) = weight columns
void forward(const float* x, const float* weight, const float* bias, float* out, Conv2dSize s,
             void* scratch) {
  float* columns = static_cast<float*>(scratch);
  for (int64_t image = 0; image < s.n; ++image)
    for (int64_t g = 0; g < s.groups; ++g) {
      const Group group(s, image, g);
      im2col(x, columns, s, group);
      for (int64_t i = 0; i < group.m; ++i)
        for (int64_t j = 0; j < group.n; ++j) {
          float sum = 0;
          for (int64_t p = 0; p < group.k; ++p)
            sum += weight[group.weight + i * group.k + p] * columns[p * group.n + j];
          out[group.out + i * group.n + j] = sum + (bias ? bias[group.bias + i] : 0);
        }
    }
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w): columns = weight' dout
void backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                    void* scratch) {
  float* columns = static_cast<float*>(scratch);
  for (int64_t q = 0; q < s.n * s.c * s.h * s.w; ++q) dx[q] = 0;
  for (int64_t image = 0; image < s.n; ++image)
    for (int64_t g = 0; g < s.groups; ++g) {
      const Group group(s, image, g);
      for (int64_t p = 0; p < group.k; ++p)
        for (int64_t j = 0; j < group.n; ++j) {
          float sum = 0;
          for (int64_t i = 0; i < group.m; ++i)
            sum += weight[group.weight + i * group.k + p] * dout[group.out + i * group.n + j];
          columns[p * group.n + j] = sum;
        }
      for_each_cell(s, [=](int64_t column, int64_t pixel) {  // col2im
        dx[group.x + pixel] += columns[column];
      });
    }
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw) = dout columns'
void backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s,
                     void* scratch) {
  float* columns = static_cast<float*>(scratch);
  for (int64_t q = 0; q < s.o * (s.c / s.groups) * s.kh * s.kw; ++q) dweight[q] = 0;
  for (int64_t image = 0; image < s.n; ++image)
    for (int64_t g = 0; g < s.groups; ++g) {
      const Group group(s, image, g);
      im2col(x, columns, s, group);
      for (int64_t i = 0; i < group.m; ++i)
        for (int64_t p = 0; p < group.k; ++p) {
          float sum = 0;
          for (int64_t j = 0; j < group.n; ++j)
            sum += dout[group.out + i * group.n + j] * columns[p * group.n + j];
          dweight[group.weight + i * group.k + p] += sum;
        }
    }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->conv2d_forward = forward;
  table->conv2d_backward_input = backward_input;
  table->conv2d_backward_weight = backward_weight;
  table->conv2d_forward_workspace = workspace;
  table->conv2d_backward_input_workspace = workspace;
  table->conv2d_backward_weight_workspace = workspace;
}
