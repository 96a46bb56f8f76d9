#pragma once
// Windows that slide over images: which of their pixels lie inside, and the matrix of all windows,
// which is packed for a product and never in memory.
#include "blocked.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// The x of [0, n) for which start + x step lies in [0, w)
inline Span inside(int64_t start, int64_t step, int64_t n, int64_t w) {
  if (start >= 0 && start + (n - 1) * step < w) return {0, n};  // no division where all are
  const int64_t begin = start < 0 ? least(divide_up(-start, step), n) : 0;
  const int64_t end = start < w ? least(divide_up(w - start, step), n) : 0;
  return {begin, end < begin ? begin : end};
}

// row (w,) -> out (n,), out[x] = row[start + x step], or 0 outside the row
inline void copy_row(const float* __restrict row, int64_t w, int64_t start, int64_t step,
                     float* __restrict out, int64_t n) {
  const Span in = inside(start, step, n, w);
  for (int64_t x = 0; x < in.begin; ++x) out[x] = 0.f;
  if (step == 1)
    for (int64_t x = in.begin; x < in.end; ++x) out[x] = row[start + x];
  else
    for (int64_t x = in.begin; x < in.end; ++x) out[x] = row[start + x * step];
  for (int64_t x = in.end; x < n; ++x) out[x] = 0.f;
}

// row (n,) -> out (w,), out[start + x step] += row[x] / divisor where that is inside
inline void add_row(const float* __restrict row, int64_t n, float divisor, int64_t start,
                    int64_t step, float* __restrict out, int64_t w) {
  const Span in = inside(start, step, n, w);
  if (step == 1)
    for (int64_t x = in.begin; x < in.end; ++x) out[start + x] += row[x] / divisor;
  else
    for (int64_t x = in.begin; x < in.end; ++x) out[start + x * step] += row[x] / divisor;
}

// The cells of [0, kw) that any of n windows has inside [0, w), the first window at `start`
inline Span cells_inside(int64_t start, int64_t step, int64_t n, int64_t kw, int64_t w) {
  const int64_t begin = most(0, -start - (n - 1) * step), end = least(kw, w - start);
  return {begin, end};
}

// p (n,) with a step between elements, in the first n lanes; `fill` in the others
inline Vec load_spaced(const float* p, int64_t n, int64_t step, float fill) {
  if (step == 1) return n == kLanes ? load(p) : load_n(p, n, fill);
  if (step == 2) return load_even(p, n, fill);
  Vec v = broadcast(fill);
  for (int64_t l = 0; l < n; ++l) v[l] = p[l * step];
  return v;
}

// One cell of n <= kLanes neighbouring windows, the first at column `start` of row (w,), `step`
// columns between them. What lies outside the row is `fill`.
inline Vec load_cells(const float* row, int64_t w, int64_t start, int64_t step, int64_t n,
                      float fill) {
  const Span in = inside(start, step, n, w);
  if (in.begin == 0) return load_spaced(row + start, in.end, step, fill);
  Vec v = broadcast(fill);
  for (int64_t l = in.begin; l < in.end; ++l) v[l] = row[start + l * step];
  return v;
}

// Positions (image, y, x) of images of rows x columns, counted through.
struct Grid {
  int64_t rows, columns;
};

// body(image, y, x, at, length) for each stretch of a row in [begin, begin + count); `at` is where
// it starts, counted from begin.
template <class Body>
inline void for_each_run(Grid grid, int64_t begin, int64_t count, const Body& body) {
  if (count <= 0) return;
  int64_t x = begin % grid.columns, y = begin / grid.columns % grid.rows;
  int64_t image = begin / grid.columns / grid.rows;
  for (int64_t at = 0; at < count; x = 0) {
    const int64_t length = least(grid.columns - x, count - at);
    body(image, y, x, at, length);
    at += length;
    if (++y == grid.rows) y = 0, ++image;
  }
}

// Images with their padding written out, from row `top` and column `left` on. The columns of a row
// are sorted by their number modulo `phases`, the stride of the windows, `width` of each: then
// neighbouring windows find the same cell in neighbouring floats.
struct Padded {
  int64_t top, left, rows, phases, width;

  int64_t plane() const { return rows * phases * width; }
};

// x (images, channels, h, w), `step` floats from image to image -> out (images, channels, plane)
inline void pad_images(const float* x, int64_t images, int64_t channels, int64_t step, int64_t h,
                       int64_t w, const Padded& padded, float* out) {
  const int64_t planes = images * channels, plane = padded.plane();
  parallel_for(planes, kElementwiseGrain / (plane + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const float* image = x + p / channels * step + p % channels * h * w;
      float* row = out + p * plane;
      for (int64_t y = padded.top; y < padded.top + padded.rows; ++y)
        for (int64_t phase = 0; phase < padded.phases; ++phase, row += padded.width)
          copy_row(image + y * w, y < 0 || y >= h ? 0 : w, padded.left + phase, padded.phases, row,
                   padded.width);
    }
  });
}

// The matrix of windows of padded images: row (channel, i, j), a cell, and column (image, y, x), a
// window. Its element is data[image * image_step + y * row_step + x + tap(row)].
struct Windows {
  const float* data;
  Grid grid;
  int64_t image_step, row_step;
  int64_t plane, kh, kw, tap_row, tap_column;  // steps from channel, i and j to the next
  int64_t phases, width;                       // as of the padded images

  int64_t tap(int64_t channel, int64_t i, int64_t j) const {
    const int64_t at = channel * plane + i * tap_row, column = j * tap_column;
    return at + (phases == 1 ? column : column % phases * width + column / phases);
  }
};

// Padded x and its windows, from the channel on at which `images` starts.
inline Padded padded_input(const Conv2dSize& s) {
  const int64_t reach = (s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1;
  return {-s.pad_h, -s.pad_w, (s.oh - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1, s.stride_w,
          divide_up(reach, s.stride_w)};
}
inline Windows input_windows(const Conv2dSize& s, const Padded& padded, const float* images,
                             int64_t image_step) {
  const int64_t row = padded.phases * padded.width;
  return {.data = images,
          .grid = {s.oh, s.ow},
          .image_step = image_step,
          .row_step = s.stride_h * row,
          .plane = padded.plane(),
          .kh = s.kh,
          .kw = s.kw,
          .tap_row = s.dilation_h * row,
          .tap_column = s.dilation_w,
          .phases = padded.phases,
          .width = padded.width};
}

// Columns [j, j + columns) and rows [k0, k0 + k) of windows -> sliver (k, kTileColumns)
inline void pack_windows(const Windows& windows, int64_t j, int64_t columns, int64_t k0, int64_t k,
                         float* sliver) {
  int64_t from[kTileColumns], lane[kTileColumns + 1], runs = 0;
  for_each_run(windows.grid, j, columns,
               [&](int64_t image, int64_t y, int64_t x, int64_t at, int64_t) {
                 from[runs] = image * windows.image_step + y * windows.row_step + x;
                 lane[runs++] = at;
               });
  lane[runs] = columns;
  if (columns < kTileColumns)
    for (int64_t q = 0; q < k * kTileColumns; ++q) sliver[q] = 0.f;

  int64_t cell = k0 % windows.kw, i = k0 / windows.kw % windows.kh;
  int64_t channel = k0 / windows.kw / windows.kh;
  int64_t tap = windows.tap(channel, i, cell);
  for (int64_t p = 0; p < k; ++p, sliver += kTileColumns) {
    const float* source = windows.data + tap;
    for (int64_t run = 0; run < runs; ++run)
      for (int64_t l = lane[run]; l < lane[run + 1]; l += kLanes) {
        // Whole vectors: what is too much is overwritten by the next run or row, but for the last.
        const Vec v = load(source + from[run] + l - lane[run]);
        if (p + 1 < k)
          store(sliver + l, v);
        else
          store_upto(sliver + l, v, lane[run + 1] - l);
      }
    if (++cell < windows.kw && windows.phases == 1) {
      tap += windows.tap_column;
      continue;
    }
    if (cell == windows.kw) cell = 0, ++i;
    if (i == windows.kh) i = 0, ++channel;
    tap = windows.tap(channel, i, cell);
  }
}

// Rows [row, row + rows) and columns [k0, k0 + k) of windows -> sliver (k, width): transposed
inline void pack_cells(const Windows& windows, int64_t row, int64_t rows, int64_t width, int64_t k0,
                       int64_t k, float* sliver) {
  int64_t tap[kWidest];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t cell = row + r;
    tap[r] = windows.tap(cell / windows.kw / windows.kh, cell / windows.kw % windows.kh,
                         cell % windows.kw);
  }
  for_each_run(
      windows.grid, k0, k, [&](int64_t image, int64_t y, int64_t x, int64_t at, int64_t length) {
        const float* first = windows.data + image * windows.image_step + y * windows.row_step + x;
        const float* from[kWidest];
        for (int64_t r = 0; r < rows; ++r) from[r] = first + tap[r];
        transpose(from, rows, width, length, sliver + at * width);
      });
}

// Windows as columns, and their cells as rows.
inline auto windows_operand(const Windows& windows) {
  return packed_operand([=](int64_t j, int64_t columns, int64_t, int64_t k0, int64_t k,
                            float* sliver) { pack_windows(windows, j, columns, k0, k, sliver); });
}
inline auto cells_operand(const Windows& windows) {
  return packed_operand(
      [=](int64_t i, int64_t cells, int64_t width, int64_t k0, int64_t k, float* sliver) {
        pack_cells(windows, i, cells, width, k0, k, sliver);
      });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
