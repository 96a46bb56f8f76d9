#include <algorithm>

#include "array.h"

// Views of an array: they share its memory and have a shape and strides of their own.
namespace baregrad {
namespace {

// The axis or place that `index` means, where a negative one counts from the end; or -1.
int64_t counted(int64_t index, int64_t length) {
  if (index < 0) index += length;
  return index < length ? std::max<int64_t>(index, -1) : -1;
}

[[noreturn]] void wrong_index(const std::string& sentence) {
  throw py::index_error("[index] " + sentence);
}

// One axis of an array, taken over by an int (which ends it) or a slice.
void take(const Array& array, size_t axis, py::handle key, Array& view) {
  const int64_t length = array.shape[axis], stride = array.strides[axis];
  if (PySlice_Check(key.ptr())) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key.ptr(), &start, &stop, &step) < 0) throw py::error_already_set();
    const int64_t count = PySlice_AdjustIndices(length, &start, &stop, step);
    if (count > 0) view.data += start * stride;
    view.shape.push_back(count);
    view.strides.push_back(stride * step);
    return;
  }
  if (!PyIndex_Check(key.ptr()) || PyBool_Check(key.ptr()))
    wrong_index("key is a " + std::string(Py_TYPE(key.ptr())->tp_name) +
                ", expected integers, slices, ... and None");
  const int64_t index = PyNumber_AsSsize_t(key.ptr(), PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) throw py::error_already_set();
  const int64_t place = counted(index, length);
  if (place < 0)
    wrong_index("index " + std::to_string(index) + " is out of bounds for axis " +
                std::to_string(axis) + " with size " + std::to_string(length));
  view.data += place * stride;
}

}  // namespace

Array Array::transposed() const {
  if (shape.size() < 2)
    throw py::value_error("[mT] array has shape " + text(shape) + ", expected (..., m, n)");
  Array view = *this;
  std::swap(view.shape.end()[-1], view.shape.end()[-2]);
  std::swap(view.strides.end()[-1], view.strides.end()[-2]);
  return view;
}

Array Array::transpose(const std::optional<Shape>& axes) const {
  const size_t rank = shape.size();
  Array view = {memory, data, dtype, {}, {}};
  std::vector<bool> seen(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t wanted = !axes ? int64_t(rank - 1 - i) : i < axes->size() ? (*axes)[i] : rank;
    const int64_t axis = counted(wanted, int64_t(rank));
    if (axis < 0 || seen[size_t(axis)] || (axes && axes->size() != rank))
      throw py::value_error("[transpose] axes are " + text(*axes) + ", expected each of " +
                            std::to_string(rank) + " axes once");
    seen[size_t(axis)] = true;
    view.shape.push_back(shape[size_t(axis)]);
    view.strides.push_back(strides[size_t(axis)]);
  }
  return view;
}

Array Array::broadcast_to(const Shape& wanted) const {
  Array view = {memory, data, dtype, wanted, Shape(wanted.size(), 0)};
  bool fits = wanted.size() >= shape.size();
  for (size_t i = 1; fits && i <= shape.size(); ++i) {
    const size_t axis = shape.size() - i, place = wanted.size() - i;
    if (shape[axis] == wanted[place])
      view.strides[place] = strides[axis];
    else if (shape[axis] != 1)
      fits = false;
  }
  for (int64_t length : wanted) fits = fits && length >= 0;
  if (!fits)
    throw py::value_error("[broadcast_to] array has shape " + text(shape) +
                          ", expected one that broadcasts to " + text(wanted));
  contiguous_strides(wanted, size_of(dtype));  // throws if an int64 cannot count its bytes
  return view;
}

Array Array::at(py::handle key) const {
  const py::tuple keys =
      py::isinstance<py::tuple>(key) ? py::reinterpret_borrow<py::tuple>(key) : py::make_tuple(key);
  size_t taken = 0, ellipses = 0;
  for (py::handle k : keys) k.ptr() == Py_Ellipsis ? ++ellipses : taken += !k.is_none();
  if (ellipses > 1) wrong_index("an index can only have a single ellipsis ('...')");
  if (taken > shape.size())
    wrong_index("array has shape " + text(shape) + ", but " + std::to_string(taken) +
                " axes were indexed");
  Array view = {memory, data, dtype, {}, {}};
  size_t axis = 0;
  const auto keep_to = [&](size_t end) {
    for (; axis < end; ++axis) {
      view.shape.push_back(shape[axis]);
      view.strides.push_back(strides[axis]);
    }
  };
  for (py::handle k : keys) {
    if (k.is_none()) {
      view.shape.push_back(1);
      view.strides.push_back(0);
    } else if (k.ptr() == Py_Ellipsis) {
      keep_to(axis + shape.size() - taken);
    } else {
      take(*this, axis++, k, view);
    }
  }
  keep_to(shape.size());
  return view;
}

}  // namespace baregrad
