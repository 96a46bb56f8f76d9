#pragma once
// Convolution of many images, stacked in the lanes of vectors: a pixel of the output is then filters
// times whole vectors, for those cells of its window alone that lie inside the image. Only the images
// are copied, once, and not their windows.
#include "filters.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Floats of stacked images at a time: 8 MiB, and at least one stack, which has 64 MiB at most.
constexpr int64_t kPanelStacks = 1 << 21, kMostStack = 1 << 24;
// Sums of a row of a tile that are kept until they go to memory together.
constexpr int64_t kStripFloats = 2 * kLanes * kTileColumns;

// The cells from `first` to `last` that `count` targets see inside the image, any of them, the
// targets alike; with none, last < first.
struct Seen {
  int64_t first, last;

  Seen(int64_t first, int64_t last) : first(first), last(last) {}
  Seen(const Axis& axis, int64_t target, int64_t count) : Seen(axis.cells, -1) {
    for (int64_t cell = 0; cell < axis.cells; ++cell) {
      const int64_t source = axis.source(target, cell);
      const int64_t end = source + (count - 1) * axis.source_step();
      if (!axis.sees(target, cell) || end < 0 || source >= axis.sources) continue;
      first = least(first, cell);
      last = cell;
    }
  }
  bool operator==(const Seen&) const = default;
};

// Stacks of images: (stacks, planes, rows, columns, lanes), columns from `left` on, which may be
// outside.
struct Stacks {
  int64_t planes, rows, left, columns, lanes;

  // Not so long that planes lie 4 KiB apart: lines that are wanted together would evict each other.
  int64_t plane() const {
    const int64_t length = rows * columns * lanes;
    return length % 1024 == 0 ? length + kLine : length;
  }
  int64_t floats() const { return planes * plane(); }
};

// Whether n images fill stacks as wide as a tile as well as those of one vector.
inline bool fill_tiles(int64_t n) { return round_up(n, kTileColumns) == round_up(n, kLanes); }

// Stacks of n images, with zeros, or without, for what is seen outside to the left and right.
inline Stacks stacks_of(const Axis& down, const Axis& right, int64_t n, int64_t planes,
                        bool padded) {
  const Span seen = padded ? right.seen() : Span{0, right.sources};
  const int64_t left = least(0, seen.begin), end = most(right.sources, seen.end);
  return {planes, down.sources, left, end - left, fill_tiles(n) ? kTileColumns : kLanes};
}

// Whether stacks of n images are nearly full, with little padding, and not too large.
inline bool are_worth_it(const Stacks& stacks, int64_t n, int64_t w) {
  return 4 * n >= 3 * round_up(n, stacks.lanes) && stacks.columns <= 4 * w && stacks.floats() > 0 &&
         stacks.floats() <= kMostStack;
}

// x (n, planes, h, w), `image` floats from image to image -> out, its stacks of `lanes` images each:
// all at once, so that most of what a thread stacks it also reads.
inline void stack_images(const float* x, int64_t n, int64_t image, int64_t w, Stacks stacks,
                         float* out) {
  if (stacks.columns == w) stacks.columns *= stacks.rows, w *= stacks.rows, stacks.rows = 1;
  const int64_t lanes = stacks.lanes, after = stacks.columns + stacks.left;
  const int64_t rows = stacks.planes * stacks.rows;
  parallel_for(divide_up(n, lanes) * rows, kElementwiseGrain / (w * lanes + 1) + 1,
               [=](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const int64_t first = row / rows * lanes, images = least(lanes, n - first);
                   const float* from[kTileColumns];
                   for (int64_t l = 0; l < images; ++l)
                     from[l] = x + (first + l) * image + row % rows * w;
                   float* to = out + row / stacks.rows * stacks.plane() +
                               (row % stacks.rows * stacks.columns - stacks.left) * lanes;
                   for (int64_t u = stacks.left * lanes; u < 0; ++u) to[u] = 0.f;
                   transpose(from, images, lanes, w, to);
                   for (int64_t u = w * lanes; u < after * lanes; ++u) to[u] = 0.f;
                 }
               });
}

// filters (Rows,) times pixels (Vectors,), `vector` apart -> to (Rows, Vectors), which is added to
template <int Rows, int Vectors>
__attribute__((noinline)) void multiply_terms(const float* filters, const float* pixels,
                                              int64_t vector, const Terms& terms, float* to,
                                              int64_t row, int64_t to_vector) {
  Vec sum[Rows][Vectors] = {};
  for (int64_t p = 0; p < terms.planes; ++p) {
    for (const Tap* tap = terms.taps; tap < terms.taps + terms.count; ++tap) {
      const float *a = filters + tap->filter, *b = pixels + tap->pixel;
      Vec from[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) from[j] = load(b + j * vector);
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(broadcast(a[i]), from[j], sum[i][j]);
    }
    filters += terms.filter_plane;
    pixels += terms.pixel_plane;
  }
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i, to += row)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j)
      store(to + j * to_vector, load(to + j * to_vector) + sum[i][j]);
}

struct Stacked : Filters {
  Stacks stacks;

  // Pixels in a tile: one, if a stack is as wide as that, or else neighbours, a vector each.
  int64_t wide() const { return kTileColumns / stacks.lanes; }
  // Strips of the pixels, and the pixels of one: as many in each, or a thread would have fewer.
  int64_t strips() const { return divide_up(pixels(), kStripFloats / stacks.lanes); }
  int64_t strip() const { return divide_up(pixels(), most(1, strips())); }
};

// Consecutive pixels of the output, counted through its rows, cut into tiles whose pixels see alike.
struct Strip {
  struct Part {
    const Tap* taps;
    int64_t count, pixels, first, source;  // the first pixel in the strip, and what it sees first
  };
  static constexpr int64_t kParts = kStripFloats / kLanes;

  const Stacked& s;
  int64_t length, parts, used;
  Part part[kParts];
  Tap taps[kParts * kMostCells];

  explicit Strip(const Stacked& s) : s(s) {}

  void set(int64_t begin, int64_t end) {
    length = end - begin, parts = used = 0;
    const int64_t ow = s.right.targets;
    for (int64_t pixel = begin, next; pixel < end; pixel = next) {
      const int64_t y = pixel / ow, x0 = pixel % ow, x1 = least(ow, x0 + end - pixel);
      next = pixel + x1 - x0;
      const Seen down(s.down, y, 1);
      if (down.last < down.first) continue;
      for (int64_t x = x0; x < least(x1, x0 + s.right.step()); ++x)
        cut(down, y, x, x1, pixel - begin - x0);
    }
  }

  // Row y from x on, to x1, every step-th pixel; x is pixel x + offset of the strip.
  void cut(Seen down, int64_t y, int64_t x, int64_t x1, int64_t offset) {
    const int64_t step = s.right.step(), wide = s.wide();
    Seen before = {0, -1};
    for (; x < x1; x += wide * step) {
      const int64_t pixels = least(wide, divide_up(x1 - x, step));
      const Seen right(s.right, x, pixels);
      if (right.last < right.first) continue;
      Part& now = part[parts];
      if (right == before)
        now = part[parts - 1];
      else
        list(down, right, y, x, now);
      before = right;
      const int64_t v = s.down.source(y, down.first);
      const int64_t u = s.right.source(x, right.first) - s.stacks.left;
      now.pixels = pixels, now.first = x + offset;
      now.source = (v * s.stacks.columns + u) * s.stacks.lanes;
      ++parts;
    }
  }

  // In the order in which pixels lie: the other way round takes a quarter longer.
  void list(Seen down, Seen right, int64_t y, int64_t x, Part& now) {
    now.taps = taps + used;
    for (int64_t p = 0; p <= down.last - down.first; ++p)
      for (int64_t q = 0; q <= right.last - right.first; ++q) {
        const int64_t i = s.down.back ? down.last - p : down.first + p;
        const int64_t j = s.right.back ? right.last - q : right.first + q;
        if (!s.down.sees(y, i) || !s.right.sees(x, j)) continue;
        const int64_t v = s.down.source(y, i) - s.down.source(y, down.first);
        const int64_t u = s.right.source(x, j) - s.right.source(x, right.first);
        taps[used++] = {int32_t((i * s.right.cells + j) * s.height()),
                        int32_t((v * s.stacks.columns + u) * s.stacks.lanes)};
      }
    now.count = taps + used - now.taps;
  }

  // packed filters (planes, cells, height) times the stack -> sums (rows, length, lanes), added
  void multiply(const float* filters, const float* stack, int64_t rows, float* sums) const {
    const int64_t lanes = s.stacks.lanes, wide = s.wide(), at_once = s.planes_at_once();
    const int64_t vector = wide == 1 ? kLanes : s.right.source_step() * lanes;
    const int64_t to_vector = wide == 1 ? kLanes : s.right.step() * lanes;
    const int64_t filter_plane = s.cells() * s.height(), pixel_plane = s.stacks.plane();
    for (int64_t p = 0; p < s.planes; p += at_once)
      for (const Part* at = part; at < part + parts; ++at) {
        const int64_t planes = least(at_once, s.planes - p);
        const Terms terms = {at->taps, at->count, planes, filter_plane, pixel_plane};
        with_size(rows, wide == 1 ? kTileVectors : at->pixels, [&]<int Rows, int Vectors>() {
          multiply_terms<Rows, Vectors>(filters + p * filter_plane,
                                        stack + p * pixel_plane + at->source, vector, terms,
                                        sums + at->first * lanes, length * lanes, to_vector);
        });
      }
  }
};

inline Stacked stacked(const Filters& f, int64_t n) {
  // Pixels of one tile may see differently: what some see outside is there, and is zero.
  return {f, stacks_of(f.down, f.right, n, f.planes, !fill_tiles(n))};
}

// Whether there are so many terms that stacking pays. Of windows of one cell each term would lie in a
// page of its own.
inline bool is_worth_stacking(const Stacked& s, int64_t n) {
  return are_worth_it(s.stacks, n, s.right.sources) && s.rows > 0 && s.cells() > 1 &&
         s.cells() <= kMostCells && s.planes * s.cells() >= kLeastTerms;
}

// sums (rows, length, lanes) -> out, of n images `image` apart, planes `plane` apart
inline void unstack(const float* sums, int64_t rows, int64_t length, int64_t lanes, float* out,
                    int64_t n, int64_t image, int64_t plane) {
  for (int64_t r = 0; r < rows; ++r, out += plane, sums += length * lanes)
    transpose_block(length, n, sums, lanes, out, image);
}

inline int64_t stacks_at_once(int64_t n, const Stacks& stacks) {
  return most(1, least(divide_up(n, stacks.lanes), kPanelStacks / (stacks.floats() + 1)));
}

// Floats of workspace.
inline int64_t stacked_floats(const Stacked& s, int64_t n) {
  if (!is_worth_stacking(s, n)) return 0;
  return s.floats() + stacks_at_once(n, s.stacks) * s.stacks.floats();
}

// x (n, planes, h, w) -> out (n, rows, oh, ow) by filters, of one group; images are `x_image` and
// `out_image` floats apart. workspace has stacked_floats.
inline void convolve_stacked(const Stacked& s, const float* x, int64_t x_image,
                             const float* filters, const float* bias, float* out, int64_t out_image,
                             int64_t n, float* workspace) {
  const int64_t lanes = s.stacks.lanes, height = s.height(), tiles = divide_up(s.rows, height);
  const int64_t pixels = s.pixels(), strips = s.strips();
  const int64_t at_once = stacks_at_once(n, s.stacks), floats = s.stacks.floats();
  float *packed = workspace, *stack = workspace + s.floats();
  pack_filters(s, filters, packed);
  for (int64_t n0 = 0; n0 < n; n0 += at_once * lanes) {
    const int64_t stacks = divide_up(least(n - n0, at_once * lanes), lanes);
    stack_images(x + n0 * x_image, least(at_once * lanes, n - n0), x_image, s.right.sources,
                 s.stacks, stack);
    parallel_for(stacks * strips * tiles, 1, [&](int64_t begin, int64_t end) {
      alignas(64) float sums[kTileRows * kStripFloats];
      Strip strip(s);
      for (int64_t next; begin < end; begin = next) {
        next = least(end, (begin / tiles + 1) * tiles);
        const int64_t q = begin / tiles / strips, first = begin / tiles % strips * s.strip();
        strip.set(first, least(pixels, first + s.strip()));
        for (int64_t t = begin; t < next; ++t) {
          const int64_t i = t % tiles * height, rows = least(height, s.rows - i);
          const int64_t row = strip.length * lanes, image = n0 + q * lanes;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t l = 0; l < row; l += kLanes)
              store(sums + r * row + l, broadcast(bias ? bias[i + r] : 0.f));
          strip.multiply(packed + i * s.planes * s.cells(), stack + q * floats, rows, sums);
          unstack(sums, rows, strip.length, lanes, out + image * out_image + i * pixels + first,
                  least(lanes, n - image), out_image, pixels);
        }
      }
    });
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
