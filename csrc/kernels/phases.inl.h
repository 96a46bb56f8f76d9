#pragma once
// The gradient of a convolution's input as products with windows of dout: a stride leaves each pixel
// only some of the cells, the same ones to every stride-th pixel.
#include "places.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t common_divisor(int64_t x, int64_t y) {
  return y == 0 ? x : common_divisor(y, x % y);
}

// Pixel y of the image lies in cell i of window (y + pad - i dilation) / stride where that is whole,
// so only some cells see the pixels y = phase, phase + stride, ...: those from `first` on, `step`
// apart. Its windows are consecutive; the pixel number `phase` has cell `first` of window `start`.
struct Phase {
  int64_t pixels, first, step, cells, start, back;

  Phase(int64_t phase, int64_t h, int64_t k, int64_t stride, int64_t pad, int64_t dilation) {
    const int64_t divisor = common_divisor(stride, dilation);
    pixels = divide_up(h - phase, stride);
    step = stride / divisor;
    back = dilation / divisor;  // windows between the cells of a pixel
    for (first = 0; first < least(step, k); ++first)
      if ((phase + pad - first * dilation) % stride == 0) break;
    cells = first < least(step, k) ? divide_up(k - first, step) : 0;
    start = cells ? (phase + pad - first * dilation) / stride : 0;
  }
};

// dout with all windows that the pixels of x may ask for.
inline Padded padded_output(const Conv2dSize& s) {
  const int64_t top = divide_down(s.pad_h - (s.kh - 1) * s.dilation_h, s.stride_h);
  const int64_t left = divide_down(s.pad_w - (s.kw - 1) * s.dilation_w, s.stride_w);
  const int64_t bottom = divide_down(s.h - 1 + s.pad_h, s.stride_h);
  const int64_t right = divide_down(s.w - 1 + s.pad_w, s.stride_w);
  return {top, left, bottom - top + 1, 1, right - left + 1};
}

// weight (o, c, kh, kw) -> sliver (depth, height): rows are channels from `channel` on, and k
// counts through (o, i, j), the cells of a phase, from k0 on
inline void pack_cells_of_phase(const float* weight, const Conv2dSize& s, const Phase& down,
                                const Phase& right, int64_t channel, int64_t channels,
                                int64_t height, int64_t k0, int64_t depth, float* sliver) {
  const int64_t c = s.c / s.groups, cells = s.kh * s.kw;
  for (int64_t p = k0; p < k0 + depth; ++p, sliver += height) {
    const int64_t i = down.first + p / right.cells % down.cells * down.step;
    const int64_t j = right.first + p % right.cells * right.step;
    const float* from =
        weight + (p / right.cells / down.cells * c + channel) * cells + i * s.kw + j;
    for (int64_t r = 0; r < height; ++r) sliver[r] = r < channels ? from[r * cells] : 0.f;
  }
}

// images (n, o, plane) of dout, `image` floats apart, and filters (o, c, kh, kw) of one group -> the
// pixels of dx (n, c, h, w) that have the phase of (y, x)
inline void multiply_phase(int64_t y, int64_t x, const float* images, int64_t image,
                           const Padded& padded, const float* filters, float* dx,
                           const Conv2dSize& s, int64_t n, float* workspace) {
  const Phase down(y, s.h, s.kh, s.stride_h, s.pad_h, s.dilation_h);
  const Phase right(x, s.w, s.kw, s.stride_w, s.pad_w, s.dilation_w);
  const Grid grid = {down.pixels, right.pixels};
  const int64_t start = (down.start - padded.top) * padded.width + right.start - padded.left;
  const Windows windows = {.data = images + start,
                           .grid = grid,
                           .image_step = image,
                           .row_step = padded.width,
                           .plane = padded.plane(),
                           .kh = most(1, down.cells),
                           .kw = most(1, right.cells),
                           .tap_row = -down.back * padded.width,
                           .tap_column = -right.back,
                           .phases = 1,
                           .width = padded.width};
  const Places places = {.data = dx + y * s.w + x,
                         .grid = grid,
                         .image_step = s.c * s.h * s.w,
                         .row_step = s.h * s.w,
                         .y_step = s.stride_h * s.w,
                         .x_step = s.stride_w,
                         .bias = nullptr,
                         .add = false};
  const auto weights = packed_operand(
      [&](int64_t i, int64_t rows, int64_t height, int64_t k0, int64_t depth, float* sliver) {
        pack_cells_of_phase(filters, s, down, right, i, rows, height, k0, depth, sliver);
      });
  const int64_t terms = s.o / s.groups * down.cells * right.cells;
  multiply_blocked({s.c / s.groups, n * grid.rows * grid.columns, terms}, weights,
                   windows_operand(windows), places, workspace);
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
