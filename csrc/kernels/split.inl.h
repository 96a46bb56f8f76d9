#pragma once
// Planes split for windows that take steps, into parts by the numbers of rows and columns modulo the
// stride: what a cell of neighbouring windows sees are then neighbours. Of a stride of one there is
// one part, the plane as it lies.
#include "filters.inl.h"
#include "windows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// What cells see along an axis: target t, in cell c, pixel t + shift[c] of part[c], which has every
// stride-th source from number[part] on. Parts that no cell sees are left out.
struct Shifts {
  int64_t stride, sources, parts = 0;
  int64_t number[kMostCells + 1], part[kMostCells], shift[kMostCells];

  explicit Shifts(const Axis& axis) : stride(axis.stride), sources(axis.sources) {
    for (int64_t cell = 0; cell < axis.cells; ++cell) {
      const int64_t first = axis.source(0, cell);
      shift[cell] = divide_down(first, stride);
      number[parts] = first - shift[cell] * stride;
      for (part[cell] = 0; number[part[cell]] != number[parts];) ++part[cell];
      if (part[cell] == parts) ++parts;
    }
  }
  int64_t length(int64_t part) const { return divide_up(sources - number[part], stride); }
  int64_t longest() const { return divide_up(sources, stride); }
};

// Parts (y.parts, x.parts) of a plane, of rows as long as those of the targets.
struct Split {
  Shifts y, x;
  int64_t width, part, plane;  // floats of a row, a part, a plane

  Split(const Axis& down, const Axis& right)
      : y(down),
        x(right),
        width(right.targets),
        part(y.longest() * width),
        plane(y.parts * x.parts * part) {}

  bool lies() const { return y.stride * x.stride == 1; }
  int64_t parts() const { return y.parts * x.parts; }
};

// images (n, planes, h, w), `image` floats from one to the next -> out (n, planes, plane)
inline void split_images(const Split& s, const float* images, int64_t n, int64_t planes,
                         int64_t image, float* out) {
  const int64_t h = s.y.sources, w = s.x.sources, high = s.y.longest(), rows = s.y.parts * high;
  parallel_for(
      n * planes * rows, kElementwiseGrain / (w + 1) + 1, [=, &s](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          const int64_t plane = t / rows, part = t % rows / high, row = t % high;
          if (row >= s.y.length(part)) continue;
          const int64_t source = s.y.number[part] + row * s.y.stride;
          const float* from = images + plane / planes * image + (plane % planes * h + source) * w;
          float* to = out + plane * s.plane + part * s.x.parts * s.part + row * s.width;
          for (int64_t p = 0; p < s.x.parts; ++p, to += s.part)
            for (int64_t l = 0, length = s.x.length(p); l < length; l += kLanes) {
              const float* first = from + s.x.number[p] + l * s.x.stride;
              const int64_t lanes = least(kLanes, length - l);
              store_upto(to + l, load_spaced(first, lanes, s.x.stride, 0.f), lanes);
            }
        }
      });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
