// The largest of every window, and where in the window it stood.
#include "rows.inl.h"
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// The largest so far of the windows of kLanes neighbouring outputs.
struct Largest {
  Vec value = broadcast(-kInfinity);
  Bits place = {};

  // Strictly larger, or the first NaN: so the first of equals stays.
  void meet(Vec v, uint32_t here) {
    const auto better = ~(v <= value) & (value == value);
    value = better ? v : value;
    place = better ? Bits{} + here : place;
  }
};

// Whether windows are two columns wide and side by side, all inside the image and none over another.
inline bool are_pairs(const Pool2dSize& s) {
  return s.kw == 2 && s.stride_w == 2 && s.pad_w == 0 && 2 * s.ow <= s.w && s.stride_h >= s.kh &&
         s.pad_h == 0 && s.oh > 0 && (s.oh - 1) * s.stride_h + s.kh <= s.h;
}

// A row of such windows: x (kh, w) -> out (ow,), places (ow,)
inline void largest_of_pairs(const float* x, const Pool2dSize& s, float* out, uint8_t* places) {
  for (int64_t ox = 0; ox < s.ow; ox += kLanes) {
    const int64_t n = least(s.ow - ox, kLanes);
    const float* from = x + 2 * ox;
    Largest largest;
    for (int64_t i = 0; i < s.kh; ++i, from += s.w) {
      largest.meet(load_even(from, n, -kInfinity), uint32_t(2 * i));
      largest.meet(load_even(from + 1, n, -kInfinity), uint32_t(2 * i + 1));
    }
    store_upto(out + ox, largest.value, n);
    store_bytes_upto(places + ox, narrow(largest.place), n);
  }
}

// x (planes, h, w) -> out (planes, oh, ow), places (planes, oh, ow)
void maxpool2d_forward(const float* x, float* out, uint8_t* places, Pool2dSize s) {
  const int64_t grain = kElementwiseGrain / (s.ow * s.kh * s.kw + 1) + 1;
  const bool pairs = are_pairs(s);
  parallel_for(s.planes * s.oh, grain, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* image = x + row / s.oh * s.h * s.w;
      const int64_t top = row % s.oh * s.stride_h - s.pad_h;
      if (pairs) {
        largest_of_pairs(image + top * s.w, s, out + row * s.ow, places + row * s.ow);
        continue;
      }
      const Span in = inside(top, 1, s.kh, s.h);
      for (int64_t ox = 0; ox < s.ow; ox += kLanes) {
        const int64_t n = least(s.ow - ox, kLanes), left = ox * s.stride_w - s.pad_w;
        const Span across = cells_inside(left, s.stride_w, n, s.kw, s.w);
        // Nothing is larger than the padding in a window of -inf: its first pixel has the place.
        Largest largest;
        for (int64_t l = 0; l < n && s.h * s.w > 0 && (top < 0 || left < 0); ++l)
          largest.place[l] =
              uint32_t(in.begin * s.kw + inside(left + l * s.stride_w, 1, s.kw, s.w).begin);
        for (int64_t i = in.begin; i < in.end; ++i)
          for (int64_t j = across.begin; j < across.end; ++j)
            largest.meet(
                load_cells(image + (top + i) * s.w, s.w, left + j, s.stride_w, n, -kInfinity),
                uint32_t(i * s.kw + j));
        store_upto(out + row * s.ow + ox, largest.value, n);
        store_bytes_upto(places + row * s.ow + ox, narrow(largest.place), n);
      }
    }
  });
}

// One row of a row of such windows, whose left cells have the number `cell`: places (n,), dout (n,)
// -> dx (2 n,)
inline void gradients_of_pairs(const uint8_t* places, const float* dout, uint32_t cell, float* dx,
                               int64_t n) {
  for (int64_t j = 0; j < n; j += kLanes) {
    const int64_t width = least(n - j, kLanes);
    const Bits place = widen(load_bytes_upto(places + j, width));
    const Bits d = bits(load_upto(dout + j, width));
    store_pairs(dx + 2 * j, floats(d & Bits(place == cell)), floats(d & Bits(place == cell + 1)),
                width);
  }
}

// places (planes, oh, ow), dout (planes, oh, ow) -> dx (planes, h, w), each plane by one thread,
// window after window
void maxpool2d_backward(const uint8_t* places, const float* dout, float* dx, Pool2dSize s) {
  const int64_t plane = s.h * s.w, pixels = s.oh * s.ow;
  const int64_t grain = kElementwiseGrain / (plane + pixels + 1) + 1;
  const uint32_t kw = uint32_t(least(s.kw, 256));  // a division of 32 bits; places are below 256
  const bool pairs = are_pairs(s), fill = !pairs || s.oh * s.kh < s.h || 2 * s.ow < s.w;
  parallel_for(s.planes, grain, [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* image = dx + p * plane;
      if (fill)
        for (int64_t q = 0; q < plane; ++q) image[q] = 0.f;
      if (pairs) {
        for (int64_t oy = 0, q = p * pixels; oy < s.oh; ++oy, q += s.ow)
          for (int64_t i = 0; i < s.kh; ++i)
            gradients_of_pairs(places + q, dout + q, uint32_t(2 * i),
                               image + (oy * s.stride_h + i) * s.w, s.ow);
        continue;
      }
      for (int64_t oy = 0, q = p * pixels; oy < s.oh; ++oy)
        for (int64_t ox = 0; ox < s.ow; ++ox, ++q) {
          const int64_t y = oy * s.stride_h - s.pad_h + places[q] / kw;
          const int64_t x = ox * s.stride_w - s.pad_w + places[q] % kw;
          if (y >= 0 && y < s.h && x >= 0 && x < s.w) image[y * s.w + x] += dout[q];
        }
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
