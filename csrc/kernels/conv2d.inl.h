// Convolution: where a window begins at every pixel, or at every stride-th, by pixels as they lie
// (shifted.inl.h); of a batch of small images, by its images in the lanes of vectors (stacked.inl.h);
// where windows are the pixels themselves, by a product an image (places.inl.h); and otherwise as three
// blocked products with the matrix of windows (windows.inl.h), each of whose slivers is packed from
// padded images as it is needed. The gradients of few channels have ways of their own (scattered.inl.h,
// dots.inl.h).
#include "dots.inl.h"
#include "phases.inl.h"
#include "places.inl.h"
#include "scattered.inl.h"
#include "shifted.inl.h"
#include "stacked.inl.h"
#include "stacked_weight.inl.h"
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Floats of padded images at a time: 8 MiB, and at least one image.
constexpr int64_t kPanelImages = 1 << 21;

inline int64_t images_at_once(int64_t n, int64_t image) {
  return most(1, least(n, kPanelImages / (image + 1)));
}
// Padded images are read by whole vectors, so beyond the last one.
inline int64_t image_floats(int64_t images, int64_t image) {
  return round_up(images * image + kLanes, 16);
}

inline bool all_finite(const float* x, int64_t n) {
  int64_t bad = 1;
  parallel_for(n, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    Vec sum = {};  // stays 0: only infinity and NaN times 0 do not
    for (int64_t i = begin; i < end; i += kLanes) sum += load_upto(x + i, end - i) * 0.f;
    if (!(sum_lanes(sum) == 0)) keep_smallest(&bad, 0);
  });
  return bad == 1;
}

inline Filters forward_filters(const Conv2dSize& s) {
  const int64_t o = s.o / s.groups, c = s.c / s.groups, cells = s.kh * s.kw;
  return {{s.oh, s.h, s.kh, s.stride_h, s.pad_h, s.dilation_h, false},
          {s.ow, s.w, s.kw, s.stride_w, s.pad_w, s.dilation_w, false},
          o,
          c,
          c * cells,
          cells};
}

// How filters go over n images.
enum class Way { kShifted, kStacked, kWindows };

inline Way way_of(const Filters& f, int64_t n) {
  const bool stack = is_worth_stacking(stacked(f, n), n);
  if (is_shifted(f, n) && (!stack || f.pixels() >= kManyPixels)) return Way::kShifted;
  return stack ? Way::kStacked : Way::kWindows;
}
inline int64_t filters_floats(const Filters& f, int64_t n) {
  return way_of(f, n) == Way::kShifted ? Shifted(f).floats(n) : stacked_floats(stacked(f, n), n);
}

// x (n, groups, planes, h, w) -> out (n, groups, rows, oh, ow) by filters, those of a group
// `filters_step` after those of the one before. workspace has filters_floats.
inline void convolve(const Filters& f, int64_t groups, const float* x, const float* filters,
                     int64_t filters_step, const float* bias, float* out, int64_t n,
                     float* workspace) {
  const int64_t of_x = f.planes * f.down.sources * f.right.sources, of_out = f.rows * f.pixels();
  const auto by_groups = [&](const auto& way, auto& convolve_group) {
    for (int64_t g = 0; g < groups; ++g)
      convolve_group(way, x + g * of_x, groups * of_x, filters + g * filters_step,
                     bias ? bias + g * f.rows : nullptr, out + g * of_out, groups * of_out, n,
                     workspace);
  };
  if (way_of(f, n) == Way::kShifted)
    by_groups(Shifted(f), convolve_shifted);
  else
    by_groups(stacked(f, n), convolve_stacked);
}

int64_t conv2d_forward_workspace(Conv2dSize s) {
  const int64_t image = s.c * padded_input(s).plane(), images = images_at_once(s.n, image);
  const ProductSize product = {s.o / s.groups, images * s.oh * s.ow, s.c / s.groups * s.kh * s.kw};
  const int64_t floats = image_floats(images, image) + product_floats(product);
  return most(floats, filters_floats(forward_filters(s), s.n)) * int64_t(sizeof(float));
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow):
// weight (o, c kh kw) times the windows (c kh kw, n oh ow), by groups
void conv2d_forward(const float* x, const float* weight, const float* bias, float* out,
                    Conv2dSize s, void* workspace) {
  const Padded padded = padded_input(s);
  const int64_t o = s.o / s.groups, c = s.c / s.groups, k = c * s.kh * s.kw, pixels = s.oh * s.ow;
  const int64_t image = s.c * padded.plane(), at_once = images_at_once(s.n, image);
  float* images = static_cast<float*>(workspace);
  if (const Filters f = forward_filters(s);
      way_of(f, s.n) != Way::kWindows && all_finite(weight, s.o * k))
    return convolve(f, s.groups, x, weight, o * k, bias, out, s.n, images);
  if (is_pointwise(s)) {
    for (int64_t g = 0; g < s.groups; ++g)
      multiply_pixels(left_operand(weight + g * o * c, c, 1), x + g * c * pixels, s.c * pixels,
                      bias ? bias + g * o : nullptr, out + g * o * pixels, s.o * pixels, s.n,
                      {o, pixels, c}, images);
    return;
  }

  for (int64_t n0 = 0; n0 < s.n; n0 += at_once) {
    const int64_t n = least(at_once, s.n - n0), step = s.c * s.h * s.w;
    pad_images(x + n0 * step, n, s.c, step, s.h, s.w, padded, images);
    for (int64_t g = 0; g < s.groups; ++g) {
      const Windows windows = input_windows(s, padded, images + g * c * padded.plane(), image);
      const Places places = {.data = out + (n0 * s.o + g * o) * pixels,
                             .grid = {1, pixels},
                             .image_step = s.o * pixels,
                             .row_step = pixels,
                             .y_step = 0,
                             .x_step = 1,
                             .bias = bias ? bias + g * o : nullptr,
                             .add = false};
      multiply_blocked({o, n * pixels, k}, left_operand(weight + g * o * k, k, 1),
                       windows_operand(windows), places, images + image_floats(at_once, image));
    }
  }
}

inline Filters backward_filters(const Conv2dSize& s) {
  const int64_t o = s.o / s.groups, c = s.c / s.groups, cells = s.kh * s.kw;
  return {{s.h, s.oh, s.kh, s.stride_h, s.pad_h, s.dilation_h, true},
          {s.w, s.ow, s.kw, s.stride_w, s.pad_w, s.dilation_w, true},
          c,
          o,
          cells,
          c * cells};
}

int64_t conv2d_backward_input_workspace(Conv2dSize s) {
  const int64_t image = s.o * padded_output(s).plane(), images = images_at_once(s.n, image);
  const ProductSize product = {s.c / s.groups, images * s.h * s.w, s.o / s.groups * s.kh * s.kw};
  const int64_t floats = image_floats(images, image) + product_floats(product);
  const int64_t by_images = most(filters_floats(backward_filters(s), s.n), Scattered(s).floats(s));
  return most(floats, by_images) * int64_t(sizeof(float));
}

// One pixel at a time, as the definition says: for weights that padding must not be multiplied by.
void conv2d_backward_input_plainly(const float* dout, const float* weight, float* dx,
                                   const Conv2dSize& s) {
  const int64_t c = s.c / s.groups, o = s.o / s.groups;
  parallel_for(s.n * s.c * s.h, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t y = row % s.h, channel = row / s.h % s.c, image = row / s.h / s.c;
      for (int64_t x = 0; x < s.w; ++x) {
        float sum = 0.f;
        for (int64_t f = channel / c * o; f < (channel / c + 1) * o; ++f)
          for (int64_t i = 0; i < s.kh; ++i)
            for (int64_t j = 0; j < s.kw; ++j) {
              const int64_t v = y + s.pad_h - i * s.dilation_h, u = x + s.pad_w - j * s.dilation_w;
              if (v < 0 || v % s.stride_h || v / s.stride_h >= s.oh) continue;
              if (u < 0 || u % s.stride_w || u / s.stride_w >= s.ow) continue;
              sum += weight[((f * c + channel % c) * s.kh + i) * s.kw + j] *
                     dout[((image * s.o + f) * s.oh + v / s.stride_h) * s.ow + u / s.stride_w];
            }
        dx[row * s.w + x] = sum;
      }
    }
  });
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w): for the pixels of each
// phase of the stride, weight' (c, o kh kw) times the windows of dout (o kh kw, n h w), by groups
void conv2d_backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                           void* workspace) {
  const int64_t o = s.o / s.groups, c = s.c / s.groups, cells = s.kh * s.kw;
  if (s.n * s.c * s.h * s.w == 0) return;
  if (const Scattered scattered(s); scattered.is_worth_it)
    return scatter_images(scattered, dout, weight, dx, s, static_cast<float*>(workspace));
  if (!all_finite(weight, s.o * c * cells))
    return conv2d_backward_input_plainly(dout, weight, dx, s);
  if (const Filters f = backward_filters(s); way_of(f, s.n) != Way::kWindows)
    return convolve(f, s.groups, dout, weight, o * c * cells, nullptr, dx, s.n,
                    static_cast<float*>(workspace));
  if (is_pointwise(s)) {
    const int64_t pixels = s.h * s.w;
    for (int64_t g = 0; g < s.groups; ++g)
      multiply_pixels(left_operand(weight + g * o * c, 1, c), dout + g * o * pixels, s.o * pixels,
                      nullptr, dx + g * c * pixels, s.c * pixels, s.n, {c, pixels, o},
                      static_cast<float*>(workspace));
    return;
  }
  const Padded padded = padded_output(s);
  const int64_t plane = padded.plane(), image = s.o * plane, at_once = images_at_once(s.n, image);
  float* images = static_cast<float*>(workspace);

  for (int64_t n0 = 0; n0 < s.n; n0 += at_once) {
    const int64_t n = least(at_once, s.n - n0), step = s.o * s.oh * s.ow;
    pad_images(dout + n0 * step, n, s.o, step, s.oh, s.ow, padded, images);
    for (int64_t y = 0; y < least(s.stride_h, s.h); ++y)
      for (int64_t x = 0; x < least(s.stride_w, s.w); ++x)
        for (int64_t g = 0; g < s.groups; ++g)
          multiply_phase(y, x, images + g * o * plane, image, padded, weight + g * o * c * cells,
                         dx + (n0 * s.c + g * c) * s.h * s.w, s, n,
                         images + image_floats(at_once, image));
  }
}

// Chunks of the batch whose sums for the weights are made apart: where the weights are few, so are
// the tasks that one product has, of 6 tiles by 128 columns each.
inline int64_t batch_chunks(const Conv2dSize& s) {
  const int64_t o = s.o / s.groups, k = s.c / s.groups * s.kh * s.kw;
  const int64_t tasks = divide_up(k, 6 * kTileRows) * divide_up(o, 128);
  const double work = double(o) * double(k) * double(s.n) * double(s.oh * s.ow);
  int64_t chunks = 1;
  while (2 * chunks <= s.n && chunks * tasks < kManyTasks &&
         2 * double(chunks) * kSerialWork <= work)
    chunks *= 2;
  return chunks;
}

// Of one chunk: padded images of a group, and a product.
struct ChunkFloats {
  int64_t at_once, images, product;

  explicit ChunkFloats(const Conv2dSize& s) {
    const int64_t c = s.c / s.groups, image = c * padded_input(s).plane();
    at_once = images_at_once(divide_up(s.n, batch_chunks(s)), image);
    images = image_floats(at_once, image);
    product =
        round_up(product_floats({c * s.kh * s.kw, s.o / s.groups, at_once * s.oh * s.ow}), 16);
  }
};

inline StackedWeight stacked_weight(const Conv2dSize& s) {
  return stacked_weight({s.oh, s.h, s.kh, s.stride_h, s.pad_h, s.dilation_h, false},
                        {s.ow, s.w, s.kw, s.stride_w, s.pad_w, s.dilation_w, false}, s.n,
                        s.c / s.groups, s.o / s.groups);
}

int64_t conv2d_backward_weight_workspace(Conv2dSize s) {
  const ChunkFloats of_chunk(s);
  const int64_t sums = s.c / s.groups * s.kh * s.kw * (s.o / s.groups);
  const int64_t floats = batch_chunks(s) * (of_chunk.images + of_chunk.product + sums);
  const int64_t by_images = most(stacked_floats(stacked_weight(s), s.n), Dots(s).floats());
  return most(floats, by_images) * int64_t(sizeof(float));
}

// The same of stacked images.
inline void conv2d_backward_weight_stacked(const StackedWeight& w, const float* x,
                                           const float* dout, float* dweight, const Conv2dSize& s,
                                           float* sums) {
  const int64_t o = s.o / s.groups, c = s.c / s.groups;
  for (int64_t g = 0; g < s.groups; ++g, dweight += o * c * s.kh * s.kw) {
    multiply_stacked_windows(w, x + g * c * s.h * s.w, s.c * s.h * s.w, dout + g * o * s.oh * s.ow,
                             s.o * s.oh * s.ow, s.n, sums, sums + w.sums());
    const int64_t k = c * s.kh * s.kw, strips = divide_up(o, kLine);  // of filters: lines of sums
    parallel_for(strips * c, kElementwiseGrain / (kLine * s.kh * s.kw) + 1,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t t = begin; t < end; ++t) {
                     const int64_t plane = t % c, first = t / c * kLine;
                     for (int64_t cell = 0; cell < s.kh * s.kw; ++cell) {
                       const float* from = sums + (cell * c + plane) * w.columns();
                       for (int64_t f = first; f < least(first + kLine, o); ++f)
                         dweight[f * k + plane * s.kh * s.kw + cell] = from[f];
                     }
                   }
                 });
  }
}

// x, dout of images [begin, end) of group g -> sums (c kh kw, o): windows times dout'
inline void conv2d_backward_chunk(const float* x, const float* dout, float* sums, float* workspace,
                                  const Conv2dSize& s, int64_t g, int64_t begin, int64_t end) {
  const ChunkFloats floats(s);
  const Padded padded = padded_input(s);
  const int64_t o = s.o / s.groups, c = s.c / s.groups, k = c * s.kh * s.kw, pixels = s.oh * s.ow;
  const int64_t step = s.c * s.h * s.w;
  for (int64_t n0 = begin; n0 < end; n0 += floats.at_once) {
    const int64_t n = least(floats.at_once, end - n0);
    pad_images(x + n0 * step + g * c * s.h * s.w, n, c, step, s.h, s.w, padded, workspace);
    const Windows windows = input_windows(s, padded, workspace, c * padded.plane());
    // dout as windows of one cell: its rows are filters, its columns pixels.
    const Windows gradients = {.data = dout + (n0 * s.o + g * o) * pixels,
                               .grid = {1, pixels},
                               .image_step = s.o * pixels,
                               .row_step = 0,
                               .plane = pixels,
                               .kh = 1,
                               .kw = 1,
                               .tap_row = 0,
                               .tap_column = 0,
                               .phases = 1,
                               .width = pixels};
    const Places places = {.data = sums,
                           .grid = {1, o},
                           .image_step = 0,
                           .row_step = o,
                           .y_step = 0,
                           .x_step = 1,
                           .bias = nullptr,
                           .add = n0 > begin};
    multiply_blocked({k, o, n * pixels}, cells_operand(windows), cells_operand(gradients), places,
                     workspace + floats.images);
  }
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
void conv2d_backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s,
                            void* workspace) {
  const int64_t o = s.o / s.groups, k = s.c / s.groups * s.kh * s.kw, chunks = batch_chunks(s);
  const StackedWeight stacked = stacked_weight(s);
  if (is_worth_stacking(stacked, s.n) && all_finite(dout, s.n * s.o * s.oh * s.ow))
    return conv2d_backward_weight_stacked(stacked, x, dout, dweight, s,
                                          static_cast<float*>(workspace));
  if (const Dots dots(s); dots.is_worth_it)
    return multiply_by_dots(dots, x, dout, dweight, s, static_cast<float*>(workspace));
  const ChunkFloats floats(s);
  float* sums = static_cast<float*>(workspace);
  float* rest = sums + chunks * o * k;
  for (int64_t g = 0; g < s.groups; ++g) {
    // A thread takes the room of its first chunk for all of them: it stays in its cache.
    const auto multiply_chunks = [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk)
        conv2d_backward_chunk(x, dout, sums + chunk * o * k,
                              rest + begin * (floats.images + floats.product), s, g,
                              part_begin(s.n, chunk, chunks), part_begin(s.n, chunk + 1, chunks));
    };
    parallel_for(chunks, 1, multiply_chunks, chunks);
    float* to = dweight + g * o * k;
    parallel_for(o * k, kElementwiseGrain / chunks, [&](int64_t begin, int64_t end) {
      for (int64_t q = begin; q < end; ++q) {
        float sum = 0.f;
        for (int64_t chunk = 0; chunk < chunks && s.n > 0; ++chunk)
          sum += sums[(chunk * k + q % k) * o + q / k];
        to[q] = sum;
      }
    });
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
