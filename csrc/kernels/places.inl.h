#pragma once
// Where products leave their tiles in images, and the convolution whose windows are the pixels
// themselves, which is one such product an image.
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Where the tiles of a product go: row r of column (image, y, x), with the bias of the row. What is
// there already is added to, but for the first block of k of the first part.
struct Places {
  float* data;
  Grid grid;
  int64_t image_step, row_step, y_step, x_step;
  const float* bias;  // or null
  bool add;

  bool fresh(const ProductPart& part) const { return part.first && !add; }

  Place place(const ProductPart& part) const {
    const int64_t image = part.column / grid.columns, column = part.column % grid.columns;
    const bool one_run = grid.rows == 1 && x_step == 1 && column + part.columns <= grid.columns;
    if (!one_run) return {};
    return {.data = data + image * image_step + part.row * row_step + column,
            .row = row_step,
            .add = !fresh(part),
            .bias = fresh(part) && bias ? bias + part.row : nullptr,
            .last = last_lanes(part.columns)};
  }

  void operator()(const Tile& tile, const ProductPart& part) const {
    for_each_run(grid, part.column, part.columns,
                 [&](int64_t image, int64_t y, int64_t x, int64_t at, int64_t length) {
                   float* to = data + image * image_step + y * y_step + x * x_step;
                   for (int64_t i = 0; i < part.rows; ++i) {
                     const float* from = tile[i] + at;
                     const float b = fresh(part) && bias ? bias[part.row + i] : 0.f;
                     store_row(from, b, to + (part.row + i) * row_step, length, fresh(part));
                   }
                 });
  }

  void store_row(const float* from, float b, float* to, int64_t length, bool fresh) const {
    if (x_step == 1)
      for (int64_t l = 0; l < length; l += kLanes) {
        const Vec v = load_upto(from + l, length - l);
        store_upto(to + l, v + (fresh ? broadcast(b) : load_upto(to + l, length - l)), length - l);
      }
    else
      for (int64_t l = 0; l < length; ++l) to[l * x_step] = from[l] + (fresh ? b : to[l * x_step]);
  }
};

// Whether windows are pixels, and an image a matrix of many slivers of them.
inline bool is_pointwise(const Conv2dSize& s) {
  return s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 &&
         s.pad_w == 0 && s.oh * s.ow >= 8 * kTileColumns;
}

// Of each of n images, weights (rows, planes) times x (planes, pixels) -> out (rows, pixels), images
// so far apart
template <class Weights>
void multiply_pixels(const Weights& weights, const float* x, int64_t x_image, const float* bias,
                     float* out, int64_t out_image, int64_t n, ProductSize size, float* workspace) {
  for (int64_t image = 0; image < n; ++image) {
    const Places places = {.data = out + image * out_image,
                           .grid = {1, size.n},
                           .image_step = 0,
                           .row_step = size.n,
                           .y_step = 0,
                           .x_step = 1,
                           .bias = bias,
                           .add = false};
    multiply_blocked(size, weights, right_operand(x + image * x_image, size.n, 1, size), places,
                     workspace);
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
