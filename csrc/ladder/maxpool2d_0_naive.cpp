// Rung 0: each window in row-major order, so that the first of equals stays.
#include "../kernels.h"

namespace {

using namespace baregrad;

// x (planes, h, w) -> out (planes, oh, ow), places (planes, oh, ow)
void maxpool2d_forward(const float* x, float* out, uint8_t* places, Pool2dSize s) {
  for (int64_t plane = 0; plane < s.planes; ++plane)
    for (int64_t oy = 0; oy < s.oh; ++oy)
      for (int64_t ox = 0; ox < s.ow; ++ox) {
        float largest = -__builtin_inff();
        int64_t place = -1;  // nothing yet
        for (int64_t cell = 0; cell < s.kh * s.kw; ++cell) {
          const int64_t y = oy * s.stride_h + cell / s.kw - s.pad_h;
          const int64_t column = ox * s.stride_w + cell % s.kw - s.pad_w;
          if (y < 0 || y >= s.h || column < 0 || column >= s.w) continue;
          const float v = x[(plane * s.h + y) * s.w + column];
          const bool is_nan = v != v, had_nan = largest != largest;
          if (place < 0 || v > largest || (is_nan && !had_nan)) largest = v, place = cell;
        }
        *out++ = largest;
        *places++ = uint8_t(place < 0 ? 0 : place);
      }
}

// places (planes, oh, ow), dout (planes, oh, ow) -> dx (planes, h, w)
void maxpool2d_backward(const uint8_t* places, const float* dout, float* dx, Pool2dSize s) {
  for (int64_t q = 0; q < s.planes * s.h * s.w; ++q) dx[q] = 0;
  for (int64_t plane = 0; plane < s.planes; ++plane)
    for (int64_t oy = 0; oy < s.oh; ++oy)
      for (int64_t ox = 0; ox < s.ow; ++ox, ++places, ++dout) {
        const int64_t y = oy * s.stride_h + *places / s.kw - s.pad_h;
        const int64_t x = ox * s.stride_w + *places % s.kw - s.pad_w;
        if (y >= 0 && y < s.h && x >= 0 && x < s.w) dx[(plane * s.h + y) * s.w + x] += *dout;
      }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->maxpool2d_forward = maxpool2d_forward;
  table->maxpool2d_backward = maxpool2d_backward;
}
