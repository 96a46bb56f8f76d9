#pragma once
#include <pybind11/numpy.h>

#include <optional>
#include <string>
#include <utility>

#include "array.h"
#include "pool.h"

namespace baregrad {

namespace py = pybind11;

inline DType dtype_of(const py::dtype& dtype) {
  if (dtype.byteorder() == '>') return DType::other;  // big-endian: not ours to read
  switch (dtype.num()) {
    case py::detail::npy_api::NPY_FLOAT_:
      return DType::float32;
    case py::detail::npy_api::NPY_DOUBLE_:
      return DType::float64;
    case py::detail::npy_api::NPY_UBYTE_:
      return DType::uint8;
    case py::detail::npy_api::NPY_BOOL_:
      return DType::boolean;
    default:
      return dtype.kind() == 'i' && dtype.itemsize() == 8 ? DType::int64 : DType::other;
  }
}

// NumPy's own, which is not looked up by its name.
inline py::dtype numpy_dtype(DType dtype) {
  constexpr int numbers[] = {py::dtype::num_of<float>(), py::dtype::num_of<double>(),
                             py::dtype::num_of<int64_t>(), py::dtype::num_of<uint8_t>(),
                             py::dtype::num_of<bool>()};
  return py::dtype(numbers[int(dtype)]);
}

// A NumPy array as bindings see it. It holds a reference, so the memory stays while it is used.
struct View {
  std::string name;
  py::object object;
  char* data;
  DType dtype;
  Shape shape, strides;  // strides in bytes
  bool writeable;

  static const char* kind() { return "a NumPy array"; }

  static std::optional<View> of(py::handle value, const std::string& name) {
    if (!py::isinstance<py::array>(value)) return std::nullopt;
    return View(name, py::reinterpret_borrow<py::array>(value));
  }

  // A new array in memory of the pool.
  static View make(DType dtype, const Shape& shape) {
    int64_t bytes;
    if (__builtin_mul_overflow(elements(shape), size_of(dtype), &bytes)) throw std::bad_alloc();
    Shape strides = contiguous_strides(shape, size_of(dtype));
    pool::Block block(std::max<int64_t>(bytes, 1));
    const py::capsule owner(block.data(), pool::give);
    auto* const data = static_cast<char*>(block.release());  // from here on it is the owner's
    py::array array(numpy_dtype(dtype), shape, strides, data, owner);
    return {"out", std::move(array), data, dtype, shape, strides, true};
  }

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  int64_t size() const { return elements(shape); }
  bool is_contiguous() const { return baregrad::is_contiguous(shape, strides, size_of(dtype)); }
  bool is_integer() const {
    const char kind = array().dtype().kind();
    return kind == 'i' || kind == 'u';
  }
  std::string dtype_name() const { return py::str(object.attr("dtype")); }

  // Whether strides are whole elements, as kernels count them.
  bool is_aligned() const {
    bool whole = array().flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    for (int64_t stride : strides) whole = whole && stride % size_of(dtype) == 0;
    return whole;
  }
  View aligned() const { return is_aligned() ? *this : copied(array().dtype()); }
  View contiguous() const { return is_contiguous() ? *this : copied(array().dtype()); }
  View as_int64() const {
    return dtype == DType::int64 ? aligned().contiguous() : copied(py::dtype::of<int64_t>());
  }

  // Let this view's memory hold what `result`, a contiguous array, holds.
  void assign(const View& result) const {
    if (object.ptr() != result.object.ptr()) object[py::ellipsis()] = result.object;
  }

 private:
  View(std::string name, py::object object, char* data, DType dtype, const Shape& shape,
       const Shape& strides, bool writeable)
      : name(std::move(name)),
        object(std::move(object)),
        data(data),
        dtype(dtype),
        shape(shape),
        strides(strides),
        writeable(writeable) {}

  [[gnu::always_inline]] View(std::string name, const py::array& array)
      : name(std::move(name)),
        object(array),
        data(static_cast<char*>(const_cast<void*>(array.data()))),
        dtype(dtype_of(array.dtype())),
        shape(array.shape(), array.shape() + array.ndim()),
        strides(array.strides(), array.strides() + array.ndim()),
        writeable(array.writeable()) {}

  py::array array() const { return py::reinterpret_borrow<py::array>(object); }

  View copied(const py::dtype& type) const {
    namespace npy = py::detail;
    constexpr int flags = npy::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy::npy_api::NPY_ARRAY_ALIGNED_ |
                          npy::npy_api::NPY_ARRAY_FORCECAST_;
    PyObject* copy = npy::npy_api::get().PyArray_FromAny_(
        object.ptr(), py::dtype(type).release().ptr(), 0, 0, flags, nullptr);
    if (!copy) throw py::error_already_set();
    return View(name, py::reinterpret_steal<py::array>(copy));
  }
};

using Workspace = pool::Block;

// Where a kernel leaves the place of the first number in the argument `name` that is not in
// [0, bound): a label that is no class, a row that no table has. Here it can be read at once.
class ErrorWord {
 public:
  ErrorWord(const char* op, const char* name, int64_t bound)
      : op_(op), name_(name), bound_(bound) {}
  int64_t* pointer() { return &place_; }

  // Throws IndexError if there is such a number; `numbers` is the argument.
  void raise_at_once(py::handle numbers) const {
    if (place_ == INT64_MAX) return;
    throw py::index_error("[" + std::string(op_) + "] " + name_ + "[" + std::to_string(place_) +
                          "] is " + std::string(py::str(numbers[py::int_(place_)])) + ", " +
                          expected_below(name_, bound_));
  }

 private:
  const char *op_, *name_;
  int64_t bound_, place_ = INT64_MAX;
};

inline void check_device(const char*) {}

}  // namespace baregrad
