#pragma once
// Convolution that keeps the size of its images: what a cell of a window sees then lies equally far from
// every pixel of a plane, counted through its rows. So a vector of pixels sees vectors of the plane as it
// lies, but for lanes beyond an edge. Nothing is copied but the filters.
#include "filters.inl.h"
#include "places.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Pixels of an image from which on this pays, and from which on it is faster than stacks of images.
constexpr int64_t kFewPixels = 4 * kTileColumns, kManyPixels = 512;
// Floats of a source that some tiles see, which stay in the second-level cache: 384 KiB; and runs of
// tiles that keep threads busy.
constexpr int64_t kSeenFloats = 96 << 10, kManyRuns = 128;

// Of a vector of pixels, the lanes that see a pixel inside the image.
struct Sight {
  Mask lanes;
  bool whole;
};
typedef Sight Sights[kMostCells][kTileVectors];

// filters (Rows,) times what vectors of pixels see -> to (Rows, Vectors kLanes)
template <int Rows, int Vectors>
__attribute__((noinline)) void multiply_seen(const float* filters, const float* pixels,
                                             const Terms& terms, const Sights& sights,
                                             const Place& to) {
  to.fetch(Rows, Vectors * kLanes);
  const int64_t farthest = terms.taps[terms.count - 1].pixel;
  Vec sum[Rows][Vectors] = {};
  for (int64_t p = 0; p < terms.planes; ++p) {
    // What the next tile sees and this one does not.
    for (int j = 0; j < Vectors; ++j)
      __builtin_prefetch(pixels + farthest + (Vectors + j) * kLanes);
    const Sight* sight = sights[0];
    for (const Tap* tap = terms.taps; tap < terms.taps + terms.count; ++tap) {
      const float *a = filters + tap->filter, *b = pixels + tap->pixel;
      Vec from[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        from[j] = sight[j].whole ? load(b + j * kLanes) : load_some(b + j * kLanes, sight[j].lanes);
      sight += kTileVectors;
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i) {
        const Vec x = broadcast(a[i]);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(x, from[j], sum[i][j]);
      }
    }
    filters += terms.filter_plane;
    pixels += terms.pixel_plane;
  }
  put_tile(sum, to);
}

// Whether windows keep the size of images, which are neither small nor so large that a distance would
// not be an int32_t. Of vectors of four, asking which are whole costs more than it saves.
inline bool is_shifted(const Filters& f) {
  const auto keeps = [](const Axis& axis) {
    return axis.stride == 1 && axis.targets == axis.sources && axis.pad <= axis.sources;
  };
  return kLanes > 4 && keeps(f.down) && keeps(f.right) && f.cells() > 1 &&
         f.cells() <= kMostCells && f.rows > 0 && f.planes > 0 && f.pixels() >= kFewPixels &&
         f.planes * f.cells() >= kLeastTerms && f.pixels() < 1 << 29;
}

struct Shifted : Filters {
  Tap taps[kMostCells];                  // as pixels lie
  int32_t v[kMostCells], u[kMostCells];  // row and column of what pixel 0 sees

  explicit Shifted(const Filters& f) : Filters(f) {
    for (int64_t t = 0; t < cells(); ++t) {
      const int64_t cell = down.back ? cells() - 1 - t : t;
      v[t] = int32_t(down.source(0, cell / right.cells));
      u[t] = int32_t(right.source(0, cell % right.cells));
      taps[t] = {int32_t(cell * height()), int32_t(v[t] * right.sources + u[t])};
    }
  }

  // What each tap sees from the vectors of a tile, which begins at a pixel.
  void look(int64_t pixel, int64_t vectors, Sights& sights) const {
    const int32_t h = int32_t(down.sources), w = int32_t(right.sources);
    Int lane;
    for (int l = 0; l < kLanes; ++l) lane[l] = l;
    for (int64_t j = 0; j < vectors; ++j, pixel += kLanes) {
      Int x = lane + int32_t(pixel % w), y = Int{} + int32_t(pixel / w);
      for (int64_t last = pixel % w + kLanes - 1; last >= w; last -= w) {
        const Int over = x >= w;  // -1
        x -= over & w, y -= over;
      }
      for (int64_t t = 0; t < cells(); ++t) {
        const Int row = y + v[t], column = x + u[t];
        const Mask seen = mask_of((y < h) & (row >= 0) & (row < h) & (column >= 0) & (column < w));
        sights[t][j] = {seen, is_all(seen)};
      }
    }
  }
};

// x (n, planes, h, w) -> out (n, rows, h, w) by filters, of one group; images are `x_image` and
// `out_image` floats apart. packed has s.floats().
inline void convolve_shifted(const Shifted& s, const float* x, int64_t x_image,
                             const float* filters, const float* bias, float* out, int64_t out_image,
                             int64_t n, float* packed) {
  pack_filters(s, filters, packed);
  const int64_t height = s.height(), blocks = divide_up(s.rows, height), pixels = s.pixels();
  const int64_t filter_plane = s.cells() * height, at_once = s.planes_at_once();
  // Blocks of rows whose filters stay near, and runs of tiles that see what does.
  const int64_t near = most(1, least(blocks, kNearFloats / (filter_plane * s.planes)));
  const int64_t parts = divide_up(blocks, near), tiles = divide_up(pixels, kTileColumns);
  const int64_t most_tiles = least(kSeenFloats / (s.planes * kTileColumns), tiles);
  const int64_t run = most(1, least(most_tiles, n * parts * tiles / kManyRuns));
  const int64_t runs = divide_up(tiles, run), tasks = n * runs * parts;
  const double work = double(n) * double(pixels) * double(s.rows) * double(s.planes * s.cells());
  const Places places = {.data = out,
                         .grid = {1, pixels},
                         .image_step = out_image,
                         .row_step = pixels,
                         .y_step = 0,
                         .x_step = 1,
                         .bias = bias,
                         .add = false};

  parallel_for(tasks, work < kSerialWork ? tasks : 1, [&](int64_t begin, int64_t end) {
    Sights sights;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t image = t / parts / runs, first = t / parts % runs * run, block = t % parts;
      for (int64_t tile = first; tile < least(tiles, first + run); ++tile) {
        const int64_t pixel = tile * kTileColumns, columns = least(kTileColumns, pixels - pixel);
        const int64_t vectors = divide_up(columns, kLanes);
        s.look(pixel, vectors, sights);
        const float* seen = x + image * x_image + pixel;
        for (int64_t b = block * near; b < least(blocks, (block + 1) * near); ++b)
          for (int64_t p = 0; p < s.planes; p += at_once) {
            const int64_t row = b * height, rows = least(height, s.rows - row);
            const float* of_planes = packed + (b * s.planes + p) * filter_plane;
            const int64_t planes = least(at_once, s.planes - p);
            const Terms terms = {s.taps, s.cells(), planes, filter_plane, pixels};
            const ProductPart part = {row, image * pixels + pixel, rows, columns, p == 0};
            put_part(places, part, [&](const Place& to) {
              with_size(rows, vectors, [&]<int Rows, int Vectors>() {
                multiply_seen<Rows, Vectors>(of_planes, seen + p * pixels, terms, sights, to);
              });
            });
          }
      }
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
