#pragma once
#include <initializer_list>
#include <string>
#include <variant>

#include "binding.h"

// The arguments of ops whose windows slide over images: kernel, stride, padding, dilation.
namespace baregrad {

// An integer of any size. What int64 cannot hold is more than memory can: std::bad_alloc.
inline int64_t integer(py::handle value) {
  const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!number) throw py::error_already_set();
  int overflow = 0;
  const int64_t found = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow > 0) throw std::bad_alloc();
  return overflow < 0 ? INT64_MIN : found;
}

// The same of an argument, which is an integer.
inline int64_t integer(const Call& call, const char* name, py::handle value) {
  if (!PyIndex_Check(value.ptr()))
    call.wrong_type(std::string(name) + " is " + std::string(py::repr(value)) +
                    ", expected an integer");
  return integer(value);
}

// Integers of at least `least`, from a tuple or the like.
inline Shape counts(const Call& call, const char* name, py::handle value, int64_t least,
                    size_t length = 2) {
  Shape found;
  bool valid = true;
  const auto expected = [=] {
    return ", expected " + std::to_string(length) + " integers of at least " +
           std::to_string(least);
  };
  try {
    for (py::handle item : py::iter(value)) {
      found.push_back(integer(item));
      valid = valid && found.back() >= least;
      if (found.size() == Shape::kMostAxes) break;  // too many, however many there are
    }
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    call.wrong_type(std::string(name) + " is " + std::string(py::repr(value)) + expected());
  }
  if (!valid || found.size() != length)
    call.wrong_value(std::string(name) + " is " + text(found) + expected());
  return found;
}

// The length of an axis: one, or a letter for any.
using Length = std::variant<int64_t, const char*>;

inline void expect_lengths(const Call& call, const View& view,
                           std::initializer_list<Length> lengths) {
  bool fits = view.shape.size() == lengths.size();
  std::string expected;
  size_t axis = 0;
  for (const Length& length : lengths) {
    const int64_t* exact = std::get_if<int64_t>(&length);
    fits = fits && (!exact || view.shape[axis] == *exact);
    expected += (axis++ ? ", " : "") + (exact ? std::to_string(*exact) : std::get<1>(length));
  }
  if (!fits) call.wrong_shape(view, "(" + expected + ")");
}

// Height and width of what windows make of an image: {h, w} -> {oh, ow}. Throws std::bad_alloc for
// sizes whose products an int64 cannot hold, with some room for what kernels make of them. Stride
// and dilation come back no longer than the image.
inline Shape output_size(const Call& call, const Shape& images, const Shape& kernel, Shape& stride,
                         const Shape& padding, Shape& dilation) {
  Shape padded, out;
  for (size_t axis = 0; axis < 2; ++axis) {
    int64_t length, reach;
    if (__builtin_mul_overflow(padding[axis], 2, &length) ||
        __builtin_add_overflow(length, images[axis + 2], &length))
      throw std::bad_alloc();
    const bool endless = __builtin_mul_overflow(kernel[axis] - 1, dilation[axis], &reach) ||
                         __builtin_add_overflow(reach, 1, &reach);
    if (endless || reach > length)
      call.wrong_value("the window reaches over " +
                       (endless ? "2^63 or more" : std::to_string(reach)) + " pixels of " +
                       std::to_string(length) + ", padding included, expected at most all");
    padded.push_back(length);
    out.push_back((length - reach) / stride[axis] + 1);
    if (out.back() == 1) stride[axis] = 1;      // there is no second window, however far away
    if (kernel[axis] == 1) dilation[axis] = 1;  // nor cell
  }
  constexpr int64_t kRoom = 1 << 12;  // bytes of a float, chunks of a batch, borders twice
  const int64_t n = std::max<int64_t>(images[0], 1), c = std::max<int64_t>(images[1], 1);
  elements({kRoom, n, c, padded[0], padded[1]});  // at least a window, so none is 0
  elements({kRoom, n, c, kernel[0], kernel[1], out[0], out[1]});
  return out;
}

// images (n, c, h, w) -> the sizes of a pooling
inline Pool2dSize pool_size(const Call& call, const Shape& images, py::handle kernel_,
                            py::handle stride_, py::handle padding_) {
  const Shape kernel = counts(call, "kernel", kernel_, 1);
  Shape stride = counts(call, "stride", stride_, 1);
  const Shape padding = counts(call, "padding", padding_, 0);
  for (size_t axis = 0; axis < 2; ++axis)
    if (padding[axis] > kernel[axis] / 2)
      call.wrong_value("padding is " + text(padding) + ", expected at most half of kernel " +
                       text(kernel));
  Shape dilation = {1, 1};
  const Shape out = output_size(call, images, kernel, stride, padding, dilation);
  return {images[0] * images[1],
          images[2],
          images[3],
          kernel[0],
          kernel[1],
          out[0],
          out[1],
          stride[0],
          stride[1],
          padding[0],
          padding[1]};
}

}  // namespace baregrad
