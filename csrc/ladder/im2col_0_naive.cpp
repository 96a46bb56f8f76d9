// Rung 0: every cell of every window, one at a time.
#include "../kernels.h"

namespace {

using namespace baregrad;

// visit(column, pixel) for the cells of all windows, as indices of columns (n, c kh kw, oh ow) and
// of x (n, c, h, w); pixel is -1 in the padding.
template <class Visit>
void for_each_cell(const Conv2dSize& s, Visit visit) {
  int64_t column = 0;
  for (int64_t plane = 0; plane < s.n * s.c; ++plane)
    for (int64_t i = 0; i < s.kh; ++i)
      for (int64_t j = 0; j < s.kw; ++j)
        for (int64_t oy = 0; oy < s.oh; ++oy)
          for (int64_t ox = 0; ox < s.ow; ++ox, ++column) {
            const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
            const int64_t x = ox * s.stride_w + j * s.dilation_w - s.pad_w;
            const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
            visit(column, inside ? (plane * s.h + y) * s.w + x : -1);
          }
}

// x (n, c, h, w) -> columns (n, c kh kw, oh ow)
void im2col(const float* x, float* columns, Conv2dSize s) {
  for_each_cell(s,
                [=](int64_t column, int64_t pixel) { columns[column] = pixel < 0 ? 0 : x[pixel]; });
}

// columns (n, c kh kw, oh ow) -> x (n, c, h, w)
void col2im(const float* columns, float* x, Conv2dSize s) {
  for (int64_t q = 0; q < s.n * s.c * s.h * s.w; ++q) x[q] = 0;
  for_each_cell(s, [=](int64_t column, int64_t pixel) {
    if (pixel >= 0) x[pixel] += columns[column];
  });
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->im2col = im2col;
  table->col2im = col2im;
}
