#pragma once
// Convolution whose windows begin at every pixel, or at every stride-th of planes that are split
// (split.inl.h): what a cell of them sees then lies equally far from every target, counted through
// rows. So a vector of targets sees vectors of a plane as it lies, but for lanes beyond an edge.
#include "filters.inl.h"
#include "places.inl.h"
#include "split.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Pixels of an image from which on this pays, and from which on it is faster than stacks of images;
// images from which on it is faster than one product each, where windows are pixels.
constexpr int64_t kFewPixels = 4 * kTileColumns, kManyPixels = 512, kSomeImages = 8;
// Whether tiles are so high that what is done for each term of them costs little; otherwise, planes
// that are worth splitting.
constexpr bool kHighTiles = kTileRows > 8;
constexpr int64_t kFewPlanes = 16;
// Floats of planes that some tiles see, which stay in the second-level cache: 384 KiB.
constexpr int64_t kSeenFloats = 96 << 10;
// Floats of split images at a time: 4 MiB, and at least one image.
constexpr int64_t kPanelSplit = 1 << 20;

// Of a tap and a vector of pixels, a bit for each that sees one inside the image. Those of some tiles
// are kept, tap by tap: 16 KiB.
typedef uint32_t Sight;
constexpr int64_t kSights = 4096;
constexpr Sight first_lanes(int64_t n) { return Sight((uint64_t(1) << n) - 1); }
constexpr Sight kWhole = first_lanes(kLanes);
static_assert(kTileColumns <= 32);

inline bool is_worth_splitting(const Filters& f) {
  const bool overlap = f.cells() > f.down.stride * f.right.stride;
  const bool fast = f.down.stride <= 2 && f.right.stride <= 2;
  return !f.down.back && (overlap || fast) && f.pixels() >= kManyPixels &&
         (kHighTiles || f.planes <= kFewPlanes);
}

// Whether what windows see of a part fits into rows as long as those of the targets. Of vectors of four,
// asking which are whole costs more than it saves, and so it does of one cell in low tiles.
inline bool is_shifted(const Filters& f, int64_t n) {
  const auto fits = [](const Axis& axis) {
    return axis.sources <= axis.targets * axis.stride && axis.pad <= axis.sources &&
           (axis.stride > 1 || axis.sources == axis.targets);
  };
  const bool lies = f.down.stride == 1 && f.right.stride == 1;
  const bool cells = f.cells() > 1 || (kHighTiles && n >= kSomeImages);
  return kLanes > 4 && fits(f.down) && fits(f.right) && (lies || is_worth_splitting(f)) && cells &&
         f.cells() <= kMostCells && f.rows > 0 && f.planes > 0 && f.pixels() >= kFewPixels &&
         f.down.sources * f.right.sources < 1 << 28;
}

struct Shifted : Filters {
  // Of a tap, the row and column of its part that pixel 0 sees, and how many there are.
  struct Reach {
    int64_t row, rows, column, columns;
  };
  Split split;
  int64_t filter_plane;          // floats of a plane's filters
  Tap taps[kMostCells];          // in the order in which pixels lie
  Reach reach[kMostCells];       // of each tap
  int32_t farthest[kMostCells];  // of each part: its last tap's pixel

  explicit Shifted(const Filters& f)
      : Filters(f), split(down, right), filter_plane(cells() * height()) {
    const Shifts &y = split.y, &x = split.x;
    for (int64_t part = 0; part < split.parts(); ++part) farthest[part] = INT32_MIN;
    int64_t count = 0;
    for (int64_t i = 0; i < down.cells; ++i)
      for (int64_t j = 0; j < right.cells; ++j, ++count) {
        const int64_t part = y.part[i] * x.parts + x.part[j];
        const int32_t pixel = int32_t(part * split.part + y.shift[i] * split.width + x.shift[j]);
        if (farthest[part] < pixel) farthest[part] = pixel;
        int64_t t = count;
        for (; t > 0 && taps[t - 1].pixel > pixel; --t)
          taps[t] = taps[t - 1], reach[t] = reach[t - 1];
        taps[t] = {int32_t(count * height()), pixel};
        reach[t] = {y.shift[i], y.length(y.part[i]), x.shift[j], x.length(x.part[j])};
      }
  }

  int64_t images_at_once(int64_t n) const {
    return most(1, least(n, kPanelSplit / (planes * split.plane + 1)));
  }
  int64_t floats(int64_t n) const {
    return Filters::floats() + (split.lies() ? 0 : images_at_once(n) * planes * split.plane);
  }

  // What each tap sees from the pixels of a tile, which begins at `pixel`.
  void look(int64_t pixel, Sight* sights) const {
    const int64_t count = cells();
    Sight seen[kMostCells] = {};
    for_each_run({down.targets, right.targets}, pixel, least(kTileColumns, pixels() - pixel),
                 [&](int64_t, int64_t v, int64_t u, int64_t at, int64_t length) {
                   for (int64_t t = 0; t < count; ++t) {
                     const int64_t row = v + reach[t].row, column = u + reach[t].column;
                     if (row < 0 || row >= reach[t].rows) continue;
                     const int64_t begin = most(0, -column);
                     const int64_t end = least(length, reach[t].columns - column);
                     if (begin < end) seen[t] |= (first_lanes(end) - first_lanes(begin)) << at;
                   }
                 });
    for (int64_t t = 0; t < count; ++t)
      for (int64_t j = 0; j < kTileVectors; ++j) *sights++ = seen[t] >> j * kLanes & kWhole;
  }
};

// filters (Rows,) of `planes` times what vectors of pixels see -> to (Rows, Vectors kLanes)
template <int Rows, int Vectors>
__attribute__((noinline)) void multiply_seen(const Shifted& s, const float* filters,
                                             const float* pixels, int64_t planes,
                                             const Sight* sights, const Place& to) {
  to.fetch(Rows, Vectors * kLanes);
  const Tap* const end = s.taps + s.cells();
  const int32_t* const parts_end = s.farthest + s.split.parts();
  const int64_t filter_plane = s.filter_plane, pixel_plane = s.split.plane;
  Vec sum[Rows][Vectors] = {};
  for (int64_t p = 0; p < planes; ++p, filters += filter_plane, pixels += pixel_plane) {
    // What the next tile sees and this one does not.
    for (const int32_t* pixel = s.farthest; pixel < parts_end; ++pixel)
      for (int64_t l = 0; l < Vectors * kLanes; l += kLine)
        __builtin_prefetch(pixels + *pixel + Vectors * kLanes + l);
    const Sight* sight = sights;
    for (const Tap* tap = s.taps; tap < end; ++tap, sight += kTileVectors) {
      const float *a = filters + tap->filter, *b = pixels + tap->pixel;
      Vec from[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        from[j] = sight[j] == kWhole ? load(b + j * kLanes) : load_some(b + j * kLanes, sight[j]);
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i) {
        const Vec x = broadcast(a[i]);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(x, from[j], sum[i][j]);
      }
    }
  }
  put_tile(sum, to);
}

// x (n, planes, plane), split -> out (n, rows, oh, ow) by packed filters, of one group; images are
// `x_image` and `out_image` floats apart.
inline void multiply_shifted(const Shifted& s, const float* x, int64_t x_image, const float* packed,
                             const float* bias, float* out, int64_t out_image, int64_t n) {
  const int64_t height = s.height(), blocks = divide_up(s.rows, height), pixels = s.pixels();
  const int64_t at_once = s.planes_at_once(), looks = s.cells() * kTileVectors;  // of a tile
  // Blocks of rows whose filters stay near, and runs of tiles that see what does.
  const int64_t near = most(1, least(blocks, kNearFloats / (s.filter_plane * s.planes)));
  const int64_t bands = divide_up(blocks, near), tiles = divide_up(pixels, kTileColumns);
  const int64_t seen = s.planes * s.split.parts() * kTileColumns;
  const int64_t few = least(least(kSeenFloats / seen, kSights / looks), tiles);
  const int64_t run = most(1, least(few, n * bands * tiles / kManyTasks));
  const int64_t runs = divide_up(tiles, run), tasks = n * runs * bands;
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
    Sight sights[kSights];
    for (int64_t t = begin, looked = -1; t < end; ++t) {
      const int64_t image = t / bands / runs, first = t / bands % runs * run, band = t % bands;
      const int64_t last = least(tiles, first + run);
      if (first != looked)
        for (int64_t tile = first; tile < last; ++tile)
          s.look(tile * kTileColumns, sights + (tile - first) * looks);
      looked = first;
      for (int64_t b = band * near; b < least(blocks, (band + 1) * near); ++b)
        for (int64_t p = 0; p < s.planes; p += at_once) {
          const int64_t row = b * height, rows = least(height, s.rows - row);
          const int64_t planes = least(at_once, s.planes - p);
          const float* filters = packed + (b * s.planes + p) * s.filter_plane;
          const float* of_planes = x + image * x_image + p * s.split.plane;
          for (int64_t tile = first; tile < last; ++tile) {
            const Sight* sight = sights + (tile - first) * looks;
            const int64_t pixel = tile * kTileColumns;
            const int64_t columns = least(kTileColumns, pixels - pixel);
            const ProductPart part = {row, image * pixels + pixel, rows, columns, p == 0};
            put_part(places, part, [&](const Place& to) {
              with_size(rows, divide_up(columns, kLanes), [&]<int Rows, int Vectors>() {
                multiply_seen<Rows, Vectors>(s, filters, of_planes + pixel, planes, sight, to);
              });
            });
          }
        }
    }
  });
}

// x (n, planes, h, w) -> out (n, rows, oh, ow) by filters, of one group; images are `x_image` and
// `out_image` floats apart. workspace has s.floats(n).
inline void convolve_shifted(const Shifted& s, const float* x, int64_t x_image,
                             const float* filters, const float* bias, float* out, int64_t out_image,
                             int64_t n, float* workspace) {
  float *packed = workspace, *images = workspace + s.Filters::floats();
  pack_filters(s, filters, packed);
  if (s.split.lies()) return multiply_shifted(s, x, x_image, packed, bias, out, out_image, n);
  const int64_t at_once = s.images_at_once(n);
  for (int64_t n0 = 0; n0 < n && !is_stopped(); n0 += at_once) {
    const int64_t count = least(at_once, n - n0);
    split_images(s.split, x + n0 * x_image, count, s.planes, x_image, images);
    multiply_shifted(s, images, s.planes * s.split.plane, packed, bias, out + n0 * out_image,
                     out_image, count);
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
