#pragma once
#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../csrc/array.h"
#include "memory.h"

namespace baregrad {

namespace py = pybind11;

// A strided array in device memory. Views share the memory, which may be another library's.
struct Array {
  std::shared_ptr<void> memory;
  char* data;
  DType dtype;
  Shape shape, strides;  // strides in bytes

  static Array make(DType dtype, const Shape& shape, bool unused = false);
  static Array from_numpy(py::handle array);
  py::object numpy() const;
  void write(py::handle array) const;

  bool is_contiguous() const { return baregrad::is_contiguous(shape, strides, size_of(dtype)); }
  Array contiguous() const;
  Array reshape(Shape wanted) const;

  // Views: see array_views.cpp.
  Array transposed() const;  // the last two axes swapped
  Array transpose(const std::optional<Shape>& axes) const;
  Array broadcast_to(const Shape& wanted) const;
  Array at(py::handle key) const;
};

}  // namespace baregrad

// pybind11 frees a new object without destroying it where there is no memory left to register it, so
// the array is moved into one that is empty and registered.
template <>
class pybind11::detail::type_caster<baregrad::Array> : public type_caster_base<baregrad::Array> {
 public:
  using type_caster_base<baregrad::Array>::cast;
  static handle cast(baregrad::Array&& array, return_value_policy, handle parent) {
    const handle box = type_caster_base<baregrad::Array>::cast(baregrad::Array(),
                                                               return_value_policy::move, parent);
    box.cast<baregrad::Array&>() = std::move(array);
    return box;
  }
};

namespace baregrad {

// from (...) -> to (...), of one shape and type and any strides
void copy(const Array& from, const Array& to);

// An Array as bindings see it: see ../csrc/numpy_array.h, whose View has the same names.
struct View {
  std::string name;
  py::object object;
  char* data;
  DType dtype;
  Shape shape, strides;
  bool writeable = true;

  static const char* kind() { return "an array of this device"; }

  static std::optional<View> of(py::handle value, const std::string& name) {
    if (!py::isinstance<Array>(value)) return std::nullopt;
    return View(name, py::reinterpret_borrow<py::object>(value));
  }
  static View make(DType dtype, const Shape& shape) {
    return View("out", py::cast(Array::make(dtype, shape)));
  }

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  int64_t size() const { return elements(shape); }
  bool is_contiguous() const { return array().is_contiguous(); }
  bool is_aligned() const { return true; }
  bool is_integer() const { return dtype == DType::int64; }
  std::string dtype_name() const { return name_of(dtype); }
  View aligned() const { return *this; }
  View contiguous() const {
    return is_contiguous() ? *this : View(name, py::cast(array().contiguous()));
  }
  View as_int64() const { return contiguous(); }

  void assign(const View& result) const {
    if (object.ptr() != result.object.ptr()) copy(result.array(), array());
  }

 private:
  View(std::string name, py::object object) : name(std::move(name)), object(std::move(object)) {
    const Array& a = array();
    data = a.data;
    dtype = a.dtype;
    shape = a.shape;
    strides = a.strides;
  }
  const Array& array() const { return object.cast<const Array&>(); }
};

// Scratch for one kernel call.
class Workspace {
 public:
  explicit Workspace(int64_t bytes) : memory_(bytes) {}
  void* data() const { return memory_.data(); }

 private:
  Memory memory_;
};

// A word in device memory for what only a kernel sees: see ../csrc/numpy_array.h. To read it at once
// would wait for the kernel, so it is asked the next time an array is read.
class ErrorWord {
 public:
  ErrorWord(const char* op, const char* name, int64_t bound);
  int64_t* pointer() const { return word_; }
  void raise_at_once(py::handle) const {}

  // Throws IndexError if a kernel has found such a number since the last time.
  static void raise_pending();
  // Kernels run of which it was not told: those of a graph.
  static void expect_any();

 private:
  int64_t* word_;
};

}  // namespace baregrad
