#pragma once
#include <array>
#include <string>

#include "array.h"
#include "kernels.h"

// From arrays that broadcast to what strided kernels walk.
namespace baregrad {

// The axes that a kernel walks and the steps of N operands along them, made axis by axis.
template <size_t N>
struct Walk {
  const char* op;
  Extents extents = {1, {1}};
  std::array<Strides, N> strides = {};

  // One more axis inside the others, merged with the last of them where every operand walks both as
  // one. Steps are in elements.
  void add(int64_t length, const std::array<int64_t, N>& steps) {
    if (length == 1) return;
    int last = extents.rank - 1;
    bool merges = true;
    for (size_t k = 0; k < N; ++k) merges = merges && strides[k].step[last] == steps[k] * length;
    merges = merges || extents.length[last] == 1;
    if (!merges) {
      if (++extents.rank > kMaxRank)
        throw pybind11::value_error("[" + std::string(op) + "] arrays have more than " +
                                    std::to_string(kMaxRank) +
                                    " axes that cannot be merged, expected a contiguous copy");
      extents.length[++last] = 1;
    }
    extents.length[last] *= length;
    for (size_t k = 0; k < N; ++k) strides[k].step[last] = steps[k];
  }
};

// The step in elements of a view along an axis of the shape that it is broadcast to.
template <class View>
int64_t step_along(const View& view, const Shape& shape, size_t axis) {
  const size_t missing = shape.size() - view.shape.size();
  if (axis < missing || view.shape[axis - missing] == 1) return 0;
  return view.strides[axis - missing] / size_of(view.dtype);
}

// The walk over `shape`, to which all views broadcast.
template <class... Views>
Walk<sizeof...(Views)> walk(const char* op, const Shape& shape, const Views&... views) {
  Walk<sizeof...(Views)> result = {op};
  for (size_t axis = 0; axis < shape.size(); ++axis)
    result.add(shape[axis], {step_along(views, shape, axis)...});
  return result;
}

// The shape to which all views broadcast: axes meet from the last, and a length of 1 repeats.
template <class... Views>
Shape broadcast_shape(const char* op, const Views&... views) {
  Shape shape(std::max({views.shape.size()...}), 1);
  bool fits = true;
  const auto meet = [&](const Shape& other) {
    for (size_t i = 1; i <= other.size(); ++i) {
      int64_t& length = shape.end()[-int64_t(i)];
      const int64_t met = other.end()[-int64_t(i)];
      if (length == 1)
        length = met;
      else if (met != 1 && met != length)
        fits = false;
    }
  };
  (meet(views.shape), ...);
  if (fits) return shape;
  std::string shapes;
  ((shapes += (shapes.empty() ? "" : " and ") + text(views.shape)), ...);
  throw pybind11::value_error("[" + std::string(op) + "] shapes " + shapes +
                              " do not broadcast together");
}

}  // namespace baregrad
