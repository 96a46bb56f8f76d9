#pragma once
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <new>
#include <string>
#include <utility>
#include <vector>

// What NumPy arrays and the arrays of devices have in common.
namespace baregrad {

enum class DType { float32, float64, int64, uint8, boolean, other };

inline const char* name_of(DType dtype) {
  constexpr const char* names[] = {"float32", "float64", "int64", "uint8", "bool", "other"};
  return names[int(dtype)];
}

inline int64_t size_of(DType dtype) {
  constexpr int64_t sizes[] = {4, 8, 8, 1, 1, 0};
  return sizes[int(dtype)];
}

// "float32, float64, int64, uint8, bool"
inline std::string known_dtypes() {
  std::string names;
  for (DType dtype = DType::float32; dtype != DType::other; dtype = DType(int(dtype) + 1))
    names += (names.empty() ? "" : ", ") + std::string(name_of(dtype));
  return names;
}

// What NumPy understands as a dtype, if it is one of ours.
inline DType dtype_from(const char* op, pybind11::handle wanted) {
  const std::string name = pybind11::str(pybind11::module_::import("numpy").attr("dtype")(wanted));
  for (DType dtype = DType::float32; dtype != DType::other; dtype = DType(int(dtype) + 1))
    if (name == name_of(dtype)) return dtype;
  throw pybind11::type_error("[" + std::string(op) + "] dtype is " + name + ", expected one of " +
                             known_dtypes());
}

// The lengths of the axes of an array, or its strides. They lie in place, where a vector would ask for
// memory: in a short call of a kernel a good part of its time.
class Shape {
 public:
  using value_type = int64_t;
  static constexpr size_t kMostAxes = 64;  // as NumPy has it

  Shape() = default;
  explicit Shape(size_t size, int64_t length = 0) : size_(checked(size)) {
    std::fill_n(lengths_, size_, length);
  }
  template <class Length>
  Shape(const Length* begin, const Length* end) : size_(checked(size_t(end - begin))) {
    std::copy_n(begin, size_, lengths_);
  }
  Shape(std::initializer_list<int64_t> lengths) : Shape(lengths.begin(), lengths.end()) {}
  Shape(const Shape& other) : Shape(other.begin(), other.end()) {}
  Shape& operator=(const Shape& other) {
    if (this == &other) return *this;
    size_ = other.size_;
    std::copy_n(other.lengths_, size_, lengths_);
    return *this;
  }

  size_t size() const { return size_; }
  int64_t* data() { return lengths_; }
  int64_t* begin() { return lengths_; }
  int64_t* end() { return lengths_ + size_; }
  const int64_t* begin() const { return lengths_; }
  const int64_t* end() const { return lengths_ + size_; }
  int64_t& operator[](size_t axis) { return lengths_[axis]; }
  int64_t operator[](size_t axis) const { return lengths_[axis]; }
  int64_t back() const { return lengths_[size_ - 1]; }

  void clear() { size_ = 0; }
  void push_back(int64_t length) {
    size_ = checked(size_ + 1);
    lengths_[size_ - 1] = length;
  }

  bool operator==(const Shape& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

 private:
  static size_t checked(size_t size) {
    if (size > kMostAxes)
      throw pybind11::value_error("a shape or axes have more than " + std::to_string(kMostAxes) +
                                  " numbers, expected at most so many");
    return size;
  }

  size_t size_ = 0;
  int64_t lengths_[kMostAxes];
};

// (2, 3), (2,), ()
inline std::string text(const Shape& shape) {
  std::string list;
  for (int64_t length : shape) list += (list.empty() ? "" : ", ") + std::to_string(length);
  return "(" + list + (shape.size() == 1 ? ",)" : ")");
}

inline int64_t elements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t length : shape)
    if (__builtin_mul_overflow(n, length, &n)) throw std::bad_alloc();
  return n;
}

// labels -> "expected 0 <= label < 10", rows -> "expected 0 <= rows < 10"
inline std::string expected_below(const std::string& name, int64_t bound) {
  return "expected 0 <= " + (name == "labels" ? "label" : name) + " < " + std::to_string(bound);
}

// Throws std::bad_alloc for what an int64 cannot hold, of an array without elements too.
inline Shape contiguous_strides(const Shape& shape, int64_t item) {
  Shape strides(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = item;
    if (__builtin_mul_overflow(item, std::max<int64_t>(shape[axis], 1), &item))
      throw std::bad_alloc();
  }
  return strides;
}

inline bool is_contiguous(const Shape& shape, const Shape& strides, int64_t item) {
  bool contiguous = true;
  for (size_t axis = shape.size(); axis-- > 0; item *= shape[axis]) {
    if (shape[axis] == 0) return true;  // nothing is out of order
    if (shape[axis] != 1 && strides[axis] != item) contiguous = false;
  }
  return contiguous;
}

// The bytes that an array spans: [low, high) around its first element.
struct Extent {
  const char *low, *high;
};
template <class View>
Extent extent(const View& view) {
  Extent e = {view.data, view.data + size_of(view.dtype)};
  for (size_t axis = 0; axis < view.shape.size(); ++axis) {
    if (view.shape[axis] == 0) return {e.low, e.low};
    (view.strides[axis] < 0 ? e.low : e.high) += (view.shape[axis] - 1) * view.strides[axis];
  }
  return e;
}

// Whether the spans of two arrays meet. They may interleave without sharing an element.
template <class View>
bool overlap(const View& a, const View& b) {
  const Extent x = extent(a), y = extent(b);
  return x.low < y.high && y.low < x.high;
}

// Whether two elements of an array may be the same memory, as in a broadcast view: sorted by stride,
// each axis has to step over all that the smaller ones span.
template <class View>
bool repeats_memory(const View& view) {
  if (is_contiguous(view.shape, view.strides, size_of(view.dtype))) return false;
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, length
  for (size_t axis = 0; axis < view.shape.size(); ++axis) {
    if (view.shape[axis] == 0) return false;
    if (view.shape[axis] > 1) axes.emplace_back(std::abs(view.strides[axis]), view.shape[axis]);
  }
  std::sort(axes.begin(), axes.end());
  int64_t span = size_of(view.dtype);
  for (const auto& [stride, length] : axes) {
    if (stride < span) return true;
    span += (length - 1) * stride;
  }
  return false;
}

}  // namespace baregrad

// From and to a list of Python.
template <>
struct pybind11::detail::type_caster<baregrad::Shape> : list_caster<baregrad::Shape, int64_t> {};
