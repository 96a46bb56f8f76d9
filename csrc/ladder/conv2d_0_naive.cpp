// Rung 0: the definition, seven loops around one multiply-add. They are the same for all three
// directions, which differ in which of the three numbers is the sum.
#include "../kernels.h"

namespace {

using namespace baregrad;

// visit(x, weight, out) for every multiply-add: indices of x (n, c, h, w), or -1 in padding, of
// weight (o, c / groups, kh, kw) and of out (n, o, oh, ow)
template <class Visit>
void for_each_product(const Conv2dSize& s, Visit visit) {
  const int64_t channels = s.c / s.groups;
  for (int64_t image = 0; image < s.n; ++image)
    for (int64_t o = 0; o < s.o; ++o)
      for (int64_t oy = 0; oy < s.oh; ++oy)
        for (int64_t ox = 0; ox < s.ow; ++ox)
          for (int64_t channel = 0; channel < channels; ++channel)
            for (int64_t i = 0; i < s.kh; ++i)
              for (int64_t j = 0; j < s.kw; ++j) {
                const int64_t c = o / (s.o / s.groups) * channels + channel;
                const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
                const int64_t x = ox * s.stride_w + j * s.dilation_w - s.pad_w;
                const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
                visit(inside ? ((image * s.c + c) * s.h + y) * s.w + x : -1,
                      ((o * channels + channel) * s.kh + i) * s.kw + j,
                      ((image * s.o + o) * s.oh + oy) * s.ow + ox);
              }
}

// Padding is multiplied too: 0 times an infinite weight is NaN.
float pixel(const float* x, int64_t i) { return i < 0 ? 0 : x[i]; }

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
void forward(const float* x, const float* weight, const float* bias, float* out, Conv2dSize s,
             void*) {
  for (int64_t q = 0; q < s.n * s.o * s.oh * s.ow; ++q)
    out[q] = bias ? bias[q / (s.oh * s.ow) % s.o] : 0;
  for_each_product(s, [=](int64_t i, int64_t j, int64_t q) { out[q] += pixel(x, i) * weight[j]; });
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w)
void backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s, void*) {
  for (int64_t i = 0; i < s.n * s.c * s.h * s.w; ++i) dx[i] = 0;
  for_each_product(s, [=](int64_t i, int64_t j, int64_t q) {
    if (i >= 0) dx[i] += dout[q] * weight[j];
  });
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
void backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s, void*) {
  for (int64_t j = 0; j < s.o * (s.c / s.groups) * s.kh * s.kw; ++j) dweight[j] = 0;
  for_each_product(s,
                   [=](int64_t i, int64_t j, int64_t q) { dweight[j] += pixel(x, i) * dout[q]; });
}

int64_t workspace(Conv2dSize) { return 0; }

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->conv2d_forward = forward;
  table->conv2d_backward_input = backward_input;
  table->conv2d_backward_weight = backward_weight;
  table->conv2d_forward_workspace = workspace;
  table->conv2d_backward_input_workspace = workspace;
  table->conv2d_backward_weight_workspace = workspace;
}
