#pragma once
// The gradient of filters over stacked images: of a row of pixels and images, what a cell sees of some
// planes (rows) times the gradients of the outputs (columns). The former are read where the images lie,
// and of padding nothing is multiplied.
#include "blocked.inl.h"
#include "stacked.inl.h"
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int64_t kManyTiles = 12;  // to keep threads busy
// What is packed at a time: 2 MiB, and at least so many pixels and images, 48 to 256 KiB of a sliver.
constexpr int64_t kPackedFloats = 1 << 19, kPackedPixels = 4 * kBlockK;

struct StackedWeight {
  Axis down, right;
  Stacks stacks;
  int64_t filters;

  // (kh, kw, planes, filters) are the sums.
  int64_t columns() const { return round_up(filters, kTileColumns); }
  int64_t sums() const { return down.cells * right.cells * stacks.planes * columns(); }
  int64_t height() const { return tile_height(stacks.planes); }
  int64_t tiles() const { return divide_up(stacks.planes, height()); }
  int64_t slivers() const { return columns() / kTileColumns; }
  // Pieces of a row, the pixels of one, and how many are multiplied one after another.
  int64_t pieces() const { return divide_up(right.targets, kBlockK / stacks.lanes); }
  int64_t pixels() const { return divide_up(right.targets, pieces()); }
  int64_t packed_pixels() const { return most(kPackedPixels, kPackedFloats / columns()); }
  int64_t at_once() const { return packed_pixels() / (pixels() * stacks.lanes); }
};

inline StackedWeight stacked_weight(Axis down, Axis right, int64_t n, int64_t planes,
                                    int64_t filters) {
  return {down, right, stacks_of(down, right, n, planes, false), filters};
}

inline bool is_worth_stacking(const StackedWeight& s, int64_t n) {
  return s.down.cells * s.right.cells > 1 && s.right.stride == 1 &&
         2 * s.stacks.planes > kTileRows && are_worth_it(s.stacks, n, s.right.sources) &&
         s.down.cells * s.tiles() * s.slivers() >= kManyTiles;
}

// Floats of workspace.
inline int64_t stacked_floats(const StackedWeight& s, int64_t n) {
  if (!is_worth_stacking(s, n)) return 0;
  return s.sums() + s.columns() * s.packed_pixels() +
         stacks_at_once(n, s.stacks) * s.stacks.floats();
}

// A piece of row y of dout (n, filters, pixels), images and planes so far apart -> sliver (pixels,
// lanes, kTileColumns) of `filters` filters, with zeros for images and filters that are not there
inline void pack_gradients(const float* dout, int64_t n, int64_t image, int64_t filters,
                           int64_t plane, int64_t pixels, int64_t lanes, float* sliver) {
  const int64_t step = lanes * kTileColumns;
  for (int64_t l = 0; l < lanes; ++l, dout += image, sliver += kTileColumns) {
    const int64_t there = l < n ? least(filters, kTileColumns) : 0;
    transpose_block(there, pixels, dout, plane, sliver, step);
    if (there < kTileColumns)
      for (int64_t x = 0; x < pixels; ++x)
        for (int64_t f = there; f < kTileColumns; ++f) sliver[x * step + f] = 0.f;
  }
}

// x (n, planes, h, w), dout (n, filters, oh, ow), images so far apart -> sums (kh, kw, planes, filters)
inline void multiply_stacked_windows(const StackedWeight& s, const float* x, int64_t x_image,
                                     const float* dout, int64_t dout_image, int64_t n, float* sums,
                                     float* workspace) {
  const Stacks& stacks = s.stacks;
  const int64_t lanes = stacks.lanes, oh = s.down.targets, ow = s.right.targets;
  const int64_t at_once = stacks_at_once(n, stacks), pieces = s.pieces() * oh;
  const int64_t room = s.pixels() * lanes * kTileColumns;  // of a piece of a sliver
  float *packed = workspace, *stack = workspace + s.columns() * s.packed_pixels();
  for (int64_t q = 0; q < s.sums(); q += kLanes) store(sums + q, Vec{});

  const auto multiply = [&](int64_t q, int64_t n0, int64_t first, int64_t last) {
    const int64_t count = last - first, images = least(lanes, n - n0);
    const auto y = [&](int64_t piece) { return piece / s.pieces(); };
    const auto begin_x = [&](int64_t piece) { return piece % s.pieces() * s.pixels(); };
    const auto pixels = [&](int64_t piece) { return least(s.pixels(), ow - begin_x(piece)); };
    parallel_for(s.slivers() * count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t f = t / count * kTileColumns, piece = first + t % count;
        const float* from = dout + n0 * dout_image + (f * oh + y(piece)) * ow + begin_x(piece);
        pack_gradients(from, images, dout_image, s.filters - f, oh * ow, pixels(piece), lanes,
                       packed + t * room);
      }
    });
    // Filters after filters, so that a thread reads most of what it has packed.
    parallel_for(s.slivers() * s.tiles() * s.down.cells, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t f = t / s.down.cells / s.tiles(), i = t % s.down.cells;
        const int64_t row = t / s.down.cells % s.tiles() * s.height();
        const int64_t rows = least(s.height(), stacks.planes - row);
        const float* planes = stack + q * stacks.floats() + row * stacks.plane();
        for (int64_t piece = first; piece < last; ++piece) {
          const int64_t v = s.down.source(y(piece), i), x0 = begin_x(piece);
          if (v < 0 || v >= s.down.sources) continue;
          const float* gradients = packed + (f * count + piece - first) * room;
          for (int64_t j = 0; j < s.right.cells; ++j) {
            const int64_t u = s.right.source(x0, j);
            const Span in = inside(u, 1, pixels(piece), s.right.sources);
            if (in.end <= in.begin) continue;
            const Sliver seen = {planes + (v * stacks.columns + u + in.begin) * lanes,
                                 stacks.plane(), 1};
            const int64_t sum = (i * s.right.cells + j) * stacks.planes + row;
            multiply_tile(seen, {gradients + in.begin * lanes * kTileColumns, 1, kTileColumns},
                          (in.end - in.begin) * lanes, rows, kTileColumns,
                          {sums + sum * s.columns() + f * kTileColumns, s.columns(), true}, {});
          }
        }
      }
    });
  };

  for (int64_t n0 = 0; n0 < n && !is_stopped(); n0 += at_once * lanes)
    for (int64_t q = 0; q < at_once && n0 + q * lanes < n; ++q) {
      const int64_t first = n0 + q * lanes;
      stack_images(x + first * x_image, least(lanes, n - first), x_image, s.right.sources, stacks,
                   stack + q * stacks.floats());
      for (int64_t piece = 0; piece < pieces; piece += s.at_once())
        multiply(q, first, piece, least(pieces, piece + s.at_once()));
    }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
