#include "array.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <list>
#include <new>
#include <stdexcept>

#include "../csrc/dispatch.h"
#include "../csrc/strided.h"
#include "graph.h"

namespace baregrad {
namespace {

// The smallest bad place of all calls of one op with one bound since an array was last read.
struct Pending {
  std::string op, name;
  int64_t bound;
  Memory word{sizeof(int64_t)};
  bool asked_for = false;  // by a call since then

  Pending(const char* op, const char* name, int64_t bound) : op(op), name(name), bound(bound) {
    reset();
  }
  void reset() {
    const int64_t none = INT64_MAX;
    check(cudaMemcpy(word.data(), &none, sizeof none, cudaMemcpyHostToDevice), op.c_str());
    asked_for = false;
  }
};

// An array of NumPy's as a device takes it: in row-major order, and of a type that we have.
struct HostArray {
  py::array array;
  DType dtype;
  Shape shape;

  HostArray(const char* op, py::handle value) {
    const std::string name = "[" + std::string(op) + "] array ";
    if (!py::isinstance<py::array>(value))
      throw py::type_error(name + "is a " + Py_TYPE(value.ptr())->tp_name +
                           ", expected a NumPy array");
    const auto given = py::reinterpret_borrow<py::array>(value);
    const char kind = given.dtype().kind();
    if (kind == 'i' || (kind == 'u' && given.itemsize() > 1))
      dtype = DType::int64;
    else if (kind == 'u')
      dtype = DType::uint8;
    else if (kind == 'b')
      dtype = DType::boolean;
    else if (kind == 'f' && given.itemsize() == 4)
      dtype = DType::float32;
    else if (kind == 'f' && given.itemsize() == 8)
      dtype = DType::float64;  // no kernel takes it
    else
      throw py::type_error(name + "has dtype " + std::string(py::str(given.dtype())) +
                           ", expected float32");
    array = py::module_::import("numpy").attr("ascontiguousarray")(given, name_of(dtype));
    // ascontiguousarray makes (1,) of ()
    shape = Shape(given.shape(), given.shape() + given.ndim());
  }
};

void write_host(const char* op, const HostArray& host, const Array& to) {
  expect_no_recording(op,
                      "an array comes from the host while a graph is being recorded, which every "
                      "replay would repeat, expected it to be there before");
  write(to.data, host.array.data(), int64_t(host.array.nbytes()));
}

std::list<Pending>& pending() {
  static auto* instance =
      new std::list<Pending>;  // never destroyed: the device may be gone by then
  return *instance;
}

}  // namespace

Array Array::make(DType dtype, const Shape& shape, bool unused) {
  int64_t bytes;
  if (__builtin_mul_overflow(elements(shape), size_of(dtype), &bytes)) throw std::bad_alloc();
  auto memory = std::make_shared<Memory>(bytes, unused);
  char* data = memory->data();
  return {std::move(memory), data, dtype, shape, contiguous_strides(shape, size_of(dtype))};
}

Array Array::from_numpy(py::handle value) {
  const HostArray host("from_numpy", value);
  Array result = make(host.dtype, host.shape);
  write_host("from_numpy", host, result);
  return result;
}

void Array::write(py::handle value) const {
  const HostArray host("write", value);
  if (host.dtype != dtype || host.shape != shape)
    throw py::value_error("[write] array has shape " + text(host.shape) + " and dtype " +
                          name_of(host.dtype) + ", expected " + text(shape) + " and " +
                          name_of(dtype));
  if (!is_contiguous()) throw py::value_error("[write] to is a view with gaps, expected none");
  write_host("write", host, *this);
}

py::object Array::numpy() const {
  expect_no_recording("numpy",
                      "an array is read while a graph is being recorded, when nothing has a value "
                      "yet, expected it after the replay");
  ErrorWord::raise_pending();
  const Array source = contiguous();
  py::array host(py::dtype(name_of(dtype)), shape);
  const size_t bytes = size_t(host.nbytes());
  if (bytes > 0)
    check(cudaMemcpy(host.mutable_data(), source.data, bytes, cudaMemcpyDeviceToHost), "numpy");
  return host;
}

Array Array::contiguous() const {
  if (is_contiguous()) return *this;
  Array copy = make(dtype, shape);
  baregrad::copy(*this, copy);
  return copy;
}

Array Array::reshape(Shape wanted) const {
  const int64_t count = elements(shape);
  int64_t known = 1, *unknown = nullptr;
  for (int64_t& length : wanted) {
    if (length == -1 && !unknown)
      unknown = &length;
    else if (length < 0 || __builtin_mul_overflow(known, length, &known))
      known = -1;
  }
  if (unknown) *unknown = known > 0 ? count / known : -1;
  if (known < 0 || (unknown ? *unknown < 0 || known * *unknown != count : known != count))
    throw py::value_error("[reshape] array has shape " + text(shape) + " with " +
                          std::to_string(count) +
                          " elements, which does not fit the shape asked for");
  const Array source = contiguous();
  return {source.memory, source.data, dtype, wanted, contiguous_strides(wanted, size_of(dtype))};
}

void copy(const Array& from, const Array& to) {
  const Walk<2> way = walk("copy", from.shape, from, to);
  kernels().copy_strided(from.data, way.strides[0], to.data, way.strides[1], way.extents,
                         size_of(from.dtype), current_stream());
  check_device("copy");
}

ErrorWord::ErrorWord(const char* op, const char* name, int64_t bound) {
  std::list<Pending>& all = pending();
  auto found = std::find_if(all.begin(), all.end(), [&](const Pending& p) {
    return p.op == op && p.name == name && p.bound == bound;
  });
  if (found == all.end()) found = all.emplace(all.end(), op, name, bound);
  found->asked_for = true;
  word_ = reinterpret_cast<int64_t*>(found->word.data());
}

void ErrorWord::expect_any() {
  for (Pending& p : pending()) p.asked_for = true;
}

void ErrorWord::raise_pending() {
  for (Pending& p : pending()) {
    if (!p.asked_for) continue;
    int64_t place;
    check(cudaMemcpy(&place, p.word.data(), sizeof place, cudaMemcpyDeviceToHost), p.op.c_str());
    p.asked_for = false;
    if (place == INT64_MAX) continue;
    p.reset();
    throw py::index_error("[" + p.op + "] " + p.name + "[" + std::to_string(place) +
                          "] is outside, " + expected_below(p.name, p.bound) +
                          " (found now that the device was read)");
  }
}

}  // namespace baregrad
