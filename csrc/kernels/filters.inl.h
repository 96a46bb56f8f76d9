#pragma once
// The filters of a convolution, or of the gradient of its input: what they see of the pixels of a
// source, and how they are packed for tiles.
#include "tile.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Cells of a window at most, and terms of all planes at least.
constexpr int64_t kMostCells = 64, kLeastTerms = 64;
// Terms that are summed before they are added to those before.
constexpr int64_t kLongestSum = 1280;

// Which source pixel a cell of a target pixel's window sees, along one axis: of the input that of
// the output, or back.
struct Axis {
  int64_t targets, sources, cells, stride, pad, dilation;
  bool back;

  bool sees(int64_t target, int64_t cell) const {
    return !back || (target + pad - cell * dilation) % stride == 0;
  }
  int64_t source(int64_t target, int64_t cell) const {
    return back ? (target + pad - cell * dilation) / stride
                : target * stride - pad + cell * dilation;
  }
  // Of neighbouring targets whose cells see alike, and of their sources.
  int64_t step() const { return back ? stride : 1; }
  int64_t source_step() const { return back ? 1 : stride; }
  // All sources, inside or not.
  Span seen() const {
    const int64_t reach = (cells - 1) * dilation, last = targets - 1;
    if (back) return {divide_down(pad - reach, stride), divide_down(last + pad, stride) + 1};
    return {-pad, last * stride - pad + reach + 1};
  }
};

// Filters (rows, planes, cells), by their strides, of one group.
struct Filters {
  Axis down, right;
  int64_t rows, planes, row_step, plane_step;

  int64_t pixels() const { return down.targets * right.targets; }
  int64_t cells() const { return down.cells * right.cells; }
  // Planes whose terms are summed at a time: about as many each time.
  int64_t planes_at_once() const {
    return divide_up(planes, divide_up(planes * cells(), kLongestSum));
  }
  // Rows of a tile, and all that are packed for tiles.
  int64_t height() const { return tile_height(rows); }
  int64_t floats() const { return round_up(round_up(rows, height()) * planes * cells(), 16); }
};

// filters -> packed (rows / height, planes, cells, height)
inline void pack_filters(const Filters& f, const float* filters, float* packed) {
  const int64_t height = f.height(), planes = f.planes, cells = f.cells();
  parallel_for(divide_up(f.rows, height) * planes, kElementwiseGrain / (cells * height) + 1,
               [=, &f](int64_t begin, int64_t end) {
                 for (int64_t t = begin; t < end; ++t) {
                   const int64_t i = t / planes * height, rows = least(height, f.rows - i);
                   const float* from[kTileRows];
                   for (int64_t r = 0; r < rows; ++r)
                     from[r] = filters + (i + r) * f.row_step + t % planes * f.plane_step;
                   transpose(from, rows, height, cells, packed + t * cells * height);
                 }
               });
}

// Where the factors of a term lie: from the first of a plane's filters, from a pixel of the plane.
struct Tap {
  int32_t filter, pixel;
};

// Terms of some pixels, taps of each of `planes`.
struct Terms {
  const Tap* taps;
  int64_t count, planes, filter_plane, pixel_plane;  // steps from plane to plane
};

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
