#include "array.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <list>
#include <new>
#include <stdexcept>

#include "../csrc/dispatch.h"
#include "../csrc/strided.h"
#include "device.h"

namespace baregrad {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // it is told here: the next call is not to find it again
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw std::runtime_error("[" + std::string(what) + "] " + explain(error));
}

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

std::list<Pending>& pending() {
  static auto* instance =
      new std::list<Pending>;  // never destroyed: the device may be gone by then
  return *instance;
}

}  // namespace

void check_device(const char* op) { check(cudaGetLastError(), op); }

Memory::Memory(int64_t bytes) {
  if (bytes > 0)
    check(cudaMallocAsync(reinterpret_cast<void**>(&data_), size_t(bytes), current_stream()),
          "memory");
}

Memory::~Memory() {
  if (data_) cudaFreeAsync(data_, current_stream());
}

Array Array::make(DType dtype, const Shape& shape) {
  int64_t bytes;
  if (__builtin_mul_overflow(elements(shape), size_of(dtype), &bytes)) throw std::bad_alloc();
  auto memory = std::make_shared<Memory>(bytes);
  char* data = memory->data();
  return {std::move(memory), data, dtype, shape, contiguous_strides(shape, size_of(dtype))};
}

Array Array::from_numpy(py::handle value) {
  if (!py::isinstance<py::array>(value))
    throw py::type_error("[from_numpy] array is a " + std::string(Py_TYPE(value.ptr())->tp_name) +
                         ", expected a NumPy array");
  auto array = py::reinterpret_borrow<py::array>(value);
  const char kind = array.dtype().kind();
  DType dtype;
  if (kind == 'i' || (kind == 'u' && array.itemsize() > 1))
    dtype = DType::int64;
  else if (kind == 'u')
    dtype = DType::uint8;
  else if (kind == 'b')
    dtype = DType::boolean;
  else if (kind == 'f' && array.itemsize() == 4)
    dtype = DType::float32;
  else if (kind == 'f' && array.itemsize() == 8)
    dtype = DType::float64;  // no kernel takes it
  else
    throw py::type_error("[from_numpy] array has dtype " + std::string(py::str(array.dtype())) +
                         ", expected float32");
  const py::array host =
      py::module_::import("numpy").attr("ascontiguousarray")(array, name_of(dtype));
  // ascontiguousarray makes (1,) of ()
  Array result = make(dtype, Shape(array.shape(), array.shape() + array.ndim()));
  if (host.nbytes() > 0)
    check(cudaMemcpy(result.data, host.data(), size_t(host.nbytes()), cudaMemcpyHostToDevice),
          "from_numpy");
  return result;
}

py::object Array::numpy() const {
  ErrorWord::raise_pending();
  const Array source = contiguous();
  py::array host(py::dtype(name_of(dtype)), shape);
  if (host.nbytes() > 0)
    check(
        cudaMemcpy(host.mutable_data(), source.data, size_t(host.nbytes()), cudaMemcpyDeviceToHost),
        "numpy");
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
