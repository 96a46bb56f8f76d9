#pragma once
// The gradient of filters of few channels, or of one cell, as dot products: the pixels of dout and those
// that a cell sees both lie along the sum, and neither is turned around to be multiplied. Vectors are
// summed, and their lanes at the end.
#include "places.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Vectors of sums: few of them stay near, of more there have to be as many pixels to each; and of all
// chunks of the batch, 8 MiB with AVX-512.
constexpr int64_t kFewDots = 1 << 12, kMostDots = 1 << 14, kPanelDots = 1 << 17;
constexpr int64_t kLeastPixels = 128, kPixelsAtOnce = 2 * kBlockK;

// Rows of numbers, `step` apart.
struct Rows {
  const float* data;
  int64_t step;
};

// a (Height, n) and b (Width, n) -> to (Height, Width, lanes), rows `to_row` apart: sums of products, added
template <int Height, int Width>
__attribute__((noinline)) void add_products(const Rows& a, const Rows& b, int64_t n, float* to,
                                            int64_t to_row) {
  Vec sum[Height][Width];
#pragma GCC unroll 8
  for (int i = 0; i < Height; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Width; ++j) sum[i][j] = load(to + i * to_row + j * kLanes);
  const float *x = a.data, *y = b.data;
  const auto add = [&](auto get) {
    Vec left[Height];
#pragma GCC unroll 8
    for (int i = 0; i < Height; ++i) left[i] = get(x + i * a.step);
#pragma GCC unroll 8
    for (int j = 0; j < Width; ++j) {
      const Vec right = get(y + j * b.step);
#pragma GCC unroll 8
      for (int i = 0; i < Height; ++i) sum[i][j] = fma(left[i], right, sum[i][j]);
    }
  };
  for (; n >= kLanes; n -= kLanes, x += kLanes, y += kLanes)
    add([](const float* p) { return load(p); });
  if (n > 0) add([=](const float* p) { return load_n(p, n, 0.f); });
#pragma GCC unroll 8
  for (int i = 0; i < Height; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Width; ++j) store(to + i * to_row + j * kLanes, sum[i][j]);
}

// The same for as many rows of either as are wanted.
template <int Height = kDotRows, int Width = kDotColumns>
inline void add_tile_of_products(int64_t height, int64_t width, const Rows& a, const Rows& b,
                                 int64_t n, float* to, int64_t to_row) {
  if constexpr (Width > 1)
    if (width < Width)
      return add_tile_of_products<Height, Width - 1>(height, width, a, b, n, to, to_row);
  if constexpr (Height > 1)
    if (height < Height)
      return add_tile_of_products<Height - 1, Width>(height, width, a, b, n, to, to_row);
  add_products<Height, Width>(a, b, n, to, to_row);
}

// a (rows, n), b (columns, n) -> to (rows, columns, lanes), added. While some rows of b are multiplied by
// all of a, the next ones are fetched.
inline void add_dots(const Rows& a, int64_t rows, const Rows& b, int64_t columns, int64_t n,
                     float* to) {
  const int64_t high = divide_up(rows, kDotRows), wide = divide_up(columns, kDotColumns);
  const int64_t lines = n / kLine;
  for (int64_t q = 0; q < wide; ++q) {
    const int64_t j = part_begin(columns, q, wide), next = part_begin(columns, q + 1, wide);
    const int64_t end = least(columns, next + kDotColumns);
    for (int64_t p = 0; p < high; ++p) {
      const int64_t i = part_begin(rows, p, high), height = part_begin(rows, p + 1, high) - i;
      for (int64_t r = next; r < end; ++r)
        for (int64_t l = part_begin(lines, p, high); l < part_begin(lines, p + 1, high); ++l)
          __builtin_prefetch(b.data + r * b.step + l * kLine);
      add_tile_of_products(height, next - j, {a.data + i * a.step, a.step},
                           {b.data + j * b.step, b.step}, n, to + (i * columns + j) * kLanes,
                           columns * kLanes);
    }
  }
}

// How the gradient of the filters of a group is cut: pixels of an image at a time, whole rows unless
// windows are pixels, and chunks of the batch whose sums are made apart.
struct Dots {
  bool pointwise, is_worth_it;
  int64_t filters, cells, image, pixels, at_once, chunks;

  explicit Dots(const Conv2dSize& s)
      : pointwise(is_pointwise(s)), filters(s.o / s.groups), cells(s.c / s.groups * s.kh * s.kw) {
    image = pointwise ? 0 : round_up(s.c / s.groups * padded_input(s).plane() + kLanes, 16);
    pixels = s.oh * s.ow;
    at_once = pointwise ? round_up(divide_up(pixels, divide_up(pixels, kPixelsAtOnce)), kLine)
                        : s.ow * most(1, least(s.oh, kNearFloats / (cells * s.ow + 1)));
    chunks = most(1, least(least(s.n, kManyTasks), kPanelDots / most(1, dots())));
    const bool few = dots() <= kFewDots && pixels >= kLeastPixels;
    const bool long_ones = pointwise && dots() <= kMostDots && pixels >= kBlockK;
    is_worth_it = dots() > 0 && (few || long_ones) && chunks >= kLeastChunks;
  }

  int64_t dots() const { return filters * cells; }
  int64_t sums() const { return dots() * kLanes; }
  // A row of windows: with room for a whole vector too much, and not so long as a page.
  int64_t row() const { return round_up(at_once, 16) + 16; }
  int64_t room() const { return pointwise ? 0 : image + cells * row(); }
  int64_t floats() const { return is_worth_it ? chunks * (sums() + room()) : 0; }
};

// Rows of pixels of windows from y on -> columns (cells, row), whole vectors: what is too much is
// overwritten by the next row
inline void list_windows(const Windows& windows, int64_t cells, int64_t y, int64_t rows,
                         float* columns, int64_t row) {
  for (int64_t cell = 0; cell < cells; ++cell, columns += row) {
    const int64_t i = cell / windows.kw % windows.kh, j = cell % windows.kw;
    const float* from = windows.data + windows.tap(cell / windows.kw / windows.kh, i, j);
    float* to = columns;
    for (int64_t v = y; v < y + rows; ++v, to += windows.grid.columns)
      for (int64_t x = 0; x < windows.grid.columns; x += kLanes)
        store(to + x, load(from + v * windows.row_step + x));
  }
}

// x and dout of images [begin, end), of one group -> sums (filters, cells, lanes)
inline void add_dots_of_images(const Dots& d, const float* x, const float* dout, float* sums,
                               float* room, const Conv2dSize& s, int64_t begin, int64_t end) {
  const Padded padded = padded_input(s);
  const Windows windows = input_windows(s, padded, room, 0);
  for (int64_t q = 0; q < d.sums(); q += kLanes) store(sums + q, Vec{});
  for (int64_t image = begin; image < end && !is_stopped(); ++image) {
    const float *planes = x + image * s.c * s.h * s.w, *gradients = dout + image * s.o * d.pixels;
    if (!d.pointwise) pad_images(planes, 1, s.c / s.groups, 0, s.h, s.w, padded, room);
    for (int64_t first = 0; first < d.pixels; first += d.at_once) {
      const int64_t n = least(d.at_once, d.pixels - first);
      Rows cells = {planes + first, d.pixels};
      if (!d.pointwise) {
        cells = {room + d.image, d.row()};
        list_windows(windows, d.cells, first / s.ow, n / s.ow, room + d.image, d.row());
      }
      add_dots({gradients + first, d.pixels}, d.filters, cells, d.cells, n, sums);
    }
  }
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
inline void multiply_by_dots(const Dots& d, const float* x, const float* dout, float* dweight,
                             const Conv2dSize& s, float* workspace) {
  float* rooms = workspace + d.chunks * d.sums();
  for (int64_t g = 0; g < s.groups; ++g, dweight += d.filters * d.cells) {
    const float *planes = x + g * (s.c / s.groups) * s.h * s.w,
                *gradients = dout + g * d.filters * d.pixels;
    const double work = double(s.n * d.pixels) * double(d.filters * d.cells) / double(d.chunks);
    parallel_for(d.chunks, int64_t(kSerialWork / work) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk)
        add_dots_of_images(d, planes, gradients, workspace + chunk * d.sums(),
                           rooms + begin * d.room(), s, part_begin(s.n, chunk, d.chunks),
                           part_begin(s.n, chunk + 1, d.chunks));
    });
    parallel_for(d.filters * d.cells, kElementwiseGrain / d.chunks / kLanes,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t q = begin; q < end; ++q) {
                     Vec sum = {};
                     for (int64_t chunk = 0; chunk < d.chunks; ++chunk)
                       sum += load(workspace + chunk * d.sums() + q * kLanes);
                     dweight[q] = sum_lanes(sum);
                   }
                 });
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
