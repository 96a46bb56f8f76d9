// The mean of every window.
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// x (planes, h, w) -> out (planes, oh, ow)
void avgpool2d_forward(const float* x, float* out, Pool2dSize s) {
  const float cells = float(s.kh * s.kw);
  const int64_t grain = kElementwiseGrain / (s.ow * s.kh * s.kw + 1) + 1;
  parallel_for(s.planes * s.oh, grain, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* image = x + row / s.oh * s.h * s.w;
      const int64_t top = row % s.oh * s.stride_h - s.pad_h;
      const Span in = inside(top, 1, s.kh, s.h);
      for (int64_t ox = 0; ox < s.ow; ox += kLanes) {
        const int64_t n = least(s.ow - ox, kLanes), left = ox * s.stride_w - s.pad_w;
        const Span across = cells_inside(left, s.stride_w, n, s.kw, s.w);
        Vec sum = {};
        for (int64_t i = in.begin; i < in.end; ++i)
          for (int64_t j = across.begin; j < across.end; ++j)
            sum += load_cells(image + (top + i) * s.w, s.w, left + j, s.stride_w, n, 0.f);
        store_upto(out + row * s.ow + ox, sum / cells, n);
      }
    }
  });
}

// dout (planes, oh, ow) -> dx (planes, h, w), each plane by one thread, cell after cell
void avgpool2d_backward(const float* dout, float* dx, Pool2dSize s) {
  const float cells = float(s.kh * s.kw);
  const int64_t plane = s.h * s.w, pixels = s.oh * s.ow;
  const int64_t grain = kElementwiseGrain / (plane + s.kh * s.kw * pixels + 1) + 1;
  const Span across = cells_inside(-s.pad_w, s.stride_w, s.ow, s.kw, s.w);
  parallel_for(s.planes, grain, [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* image = dx + p * plane;
      for (int64_t q = 0; q < plane; ++q) image[q] = 0.f;
      for (int64_t oy = 0; oy < s.oh; ++oy) {
        const int64_t top = oy * s.stride_h - s.pad_h;
        const Span in = inside(top, 1, s.kh, s.h);
        for (int64_t i = in.begin; i < in.end; ++i)
          for (int64_t j = across.begin; j < across.end; ++j)
            add_row(dout + p * pixels + oy * s.ow, s.ow, cells, j - s.pad_w, s.stride_w,
                    image + (top + i) * s.w, s.w);
      }
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
