// Rung 0: each window, one pixel at a time; padding adds nothing, but counts.
#include "../kernels.h"

namespace {

using namespace baregrad;

// visit(pixel, output) for the cells inside x (planes, h, w) of the windows of out (planes, oh, ow)
template <class Visit>
void for_each_cell(const Pool2dSize& s, Visit visit) {
  for (int64_t output = 0; output < s.planes * s.oh * s.ow; ++output)
    for (int64_t i = 0; i < s.kh; ++i)
      for (int64_t j = 0; j < s.kw; ++j) {
        const int64_t y = output / s.ow % s.oh * s.stride_h + i - s.pad_h;
        const int64_t x = output % s.ow * s.stride_w + j - s.pad_w;
        const int64_t plane = output / s.ow / s.oh;
        if (y >= 0 && y < s.h && x >= 0 && x < s.w) visit((plane * s.h + y) * s.w + x, output);
      }
}

// x (planes, h, w) -> out (planes, oh, ow)
void avgpool2d_forward(const float* x, float* out, Pool2dSize s) {
  for (int64_t q = 0; q < s.planes * s.oh * s.ow; ++q) out[q] = 0;
  for_each_cell(s, [=](int64_t pixel, int64_t output) { out[output] += x[pixel]; });
  for (int64_t q = 0; q < s.planes * s.oh * s.ow; ++q) out[q] /= float(s.kh * s.kw);
}

// dout (planes, oh, ow) -> dx (planes, h, w)
void avgpool2d_backward(const float* dout, float* dx, Pool2dSize s) {
  for (int64_t q = 0; q < s.planes * s.h * s.w; ++q) dx[q] = 0;
  for_each_cell(
      s, [=](int64_t pixel, int64_t output) { dx[pixel] += dout[output] / float(s.kh * s.kw); });
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->avgpool2d_forward = avgpool2d_forward;
  table->avgpool2d_backward = avgpool2d_backward;
}
