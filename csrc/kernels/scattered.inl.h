#pragma once
// The gradient of an input of few channels, too few to fill a tile, while the cells of its windows do: a
// product of weights and dout, pixel by pixel where they lie, each of whose rows is then added where its
// cell sees.
#include "places.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// As measured: with fewer lanes, the products of more channels take longer than stacked images.
constexpr int64_t kFewChannels = kLanes / 4;
constexpr int64_t kLeastFilters = 16, kWidestWindow = 64;

// How that is cut: chunks of the batch, and pixels of an image at a time, whole rows.
struct Scattered {
  int64_t channels, filters, cells, rows, chunks;
  bool is_worth_it;

  explicit Scattered(const Conv2dSize& s)
      : channels(s.c / s.groups), filters(s.o / s.groups), cells(channels * s.kh * s.kw) {
    rows = most(1, least(s.oh, kNearFloats / (cells * s.ow + 1)));
    chunks = least(s.n, kManyTasks);
    is_worth_it = s.stride_h == 1 && s.stride_w == 1 && s.kh * s.kw > 1 && s.kw <= kWidestWindow &&
                  channels <= kFewChannels && cells <= kBlockK && filters >= kLeastFilters &&
                  s.n >= kLeastChunks && s.oh * s.ow > 0 &&
                  (s.kw - 1) * s.dilation_w <= kNearFloats;
  }

  ProductSize product(const Conv2dSize& s) const { return {cells, rows * s.ow, filters}; }
  // Before and behind products: what cells see of their neighbours' is read and put aside.
  int64_t margin(const Conv2dSize& s) const {
    return round_up((s.kw - 1) * s.dilation_w + kLanes, 16);
  }
  int64_t room(const Conv2dSize& s) const {
    return round_up(cells * rows * s.ow, 16) + 2 * margin(s) +
           round_up(product_floats(product(s)), 16);
  }
  int64_t floats(const Conv2dSize& s) const { return is_worth_it ? chunks * room(s) : 0; }
};

// products (kh, kw, rows, ow), rows of dout from `first` on -> dx (h, w), added
inline void add_where_seen(const float* products, int64_t first, int64_t rows, float* dx,
                           const Conv2dSize& s) {
  const int64_t top = most(0, first - s.pad_h);
  const int64_t bottom = least(s.h, first + rows - s.pad_h + (s.kh - 1) * s.dilation_h);
  for (int64_t x = 0; x < s.w; x += kLanes) {
    Bits seen[kWidestWindow];  // which pixels from x on have a window that sees them in cell j
    for (int64_t j = 0; j < s.kw; ++j)
      for (int64_t l = 0; l < kLanes; ++l) {
        const int64_t u = x + l + s.pad_w - j * s.dilation_w;
        seen[j][l] = u >= 0 && u < s.ow ? ~0u : 0;
      }
    for (int64_t y = top; y < bottom; ++y) {
      Vec sum = load_upto(dx + y * s.w + x, s.w - x);
      for (int64_t i = 0; i < s.kh; ++i) {
        const int64_t v = y + s.pad_h - i * s.dilation_h - first;
        if (v < 0 || v >= rows) continue;
        for (int64_t j = 0; j < s.kw; ++j) {
          const int64_t u = x + s.pad_w - j * s.dilation_w;
          sum += floats(bits(load(products + ((i * s.kw + j) * rows + v) * s.ow + u)) & seen[j]);
        }
      }
      store_upto(dx + y * s.w + x, sum, s.w - x);
    }
  }
}

// dout (filters, oh, ow) of an image, weight (filters, channels, kh, kw) -> dx (channels, h, w)
inline void scatter_image(const Scattered& t, const float* dout, const float* weight, float* dx,
                          const Conv2dSize& s, float* room) {
  const int64_t pixels = s.oh * s.ow;
  float* products = room + t.margin(s);
  float* rest = products + round_up(t.cells * t.rows * s.ow, 16) + t.margin(s);
  for (int64_t q = 0; q < t.channels * s.h * s.w; ++q) dx[q] = 0.f;
  for (int64_t first = 0; first < s.oh; first += t.rows, dout += t.rows * s.ow) {
    const int64_t rows = least(t.rows, s.oh - first), n = rows * s.ow;
    const ProductSize size = {t.cells, n, t.filters};
    const Places places = {.data = products,
                           .grid = {1, n},
                           .image_step = 0,
                           .row_step = n,
                           .y_step = 0,
                           .x_step = 1,
                           .bias = nullptr,
                           .add = false};
    // In the order in which they lie: a tile goes down all filters.
    for (int64_t f = 0; f < t.filters; ++f)
      for (int64_t q = 0; q < n; q += kLine) __builtin_prefetch(dout + f * pixels + q);
    multiply_blocked(size, left_operand(weight, 1, t.cells), right_operand(dout, pixels, 1, size),
                     places, rest);
    for (int64_t c = 0; c < t.channels; ++c)
      add_where_seen(products + c * s.kh * s.kw * n, first, rows, dx + c * s.h * s.w, s);
  }
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w)
inline void scatter_images(const Scattered& t, const float* dout, const float* weight, float* dx,
                           const Conv2dSize& s, float* workspace) {
  parallel_for(t.chunks, 1, [&](int64_t begin, int64_t end) {
    const int64_t last = part_begin(s.n, end, t.chunks);
    for (int64_t n = part_begin(s.n, begin, t.chunks); n < last && !is_stopped(); ++n)
      for (int64_t g = 0; g < s.groups; ++g)
        scatter_image(t, dout + (n * s.o + g * t.filters) * s.oh * s.ow,
                      weight + g * t.filters * t.cells, dx + (n * s.c + g * t.channels) * s.h * s.w,
                      s, workspace + begin * t.room(s));
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
