// The matrix of windows in memory, and back: convolution, a product away.
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// x (n, c, h, w) -> columns (n, c kh kw, oh ow)
void im2col(const float* x, float* columns, Conv2dSize s) {
  const int64_t cells = s.kh * s.kw, pixels = s.oh * s.ow;
  const int64_t grain = kElementwiseGrain / (pixels + 1) + 1;
  parallel_for(s.n * s.c * cells, grain, [=](int64_t begin, int64_t end) {
    for (int64_t cell = begin; cell < end; ++cell) {
      const float* image = x + cell / cells * s.h * s.w;
      float* out = columns + cell * pixels;
      const int64_t top = cell % cells / s.kw * s.dilation_h - s.pad_h;
      const int64_t left = cell % s.kw * s.dilation_w - s.pad_w;
      for (int64_t oy = 0; oy < s.oh; ++oy, out += s.ow) {
        const int64_t y = top + oy * s.stride_h;
        copy_row(image + y * s.w, y < 0 || y >= s.h ? 0 : s.w, left, s.stride_w, out, s.ow);
      }
    }
  });
}

// columns (n, c kh kw, oh ow) -> x (n, c, h, w), each plane by one thread, cell after cell
void col2im(const float* columns, float* x, Conv2dSize s) {
  const int64_t cells = s.kh * s.kw, pixels = s.oh * s.ow, plane = s.h * s.w;
  const int64_t grain = kElementwiseGrain / (cells * pixels + 1) + 1;
  parallel_for(s.n * s.c, grain, [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* image = x + p * plane;
      for (int64_t q = 0; q < plane; ++q) image[q] = 0.f;
      const float* row = columns + p * cells * pixels;
      for (int64_t i = 0; i < s.kh; ++i)
        for (int64_t j = 0; j < s.kw; ++j)
          for (int64_t oy = 0; oy < s.oh; ++oy, row += s.ow) {
            const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
            if (y < 0 || y >= s.h) continue;
            add_row(row, s.ow, 1.f, j * s.dilation_w - s.pad_w, s.stride_w, image + y * s.w, s.w);
          }
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
