#pragma once
#include <pthread.h>
#include <pybind11/pybind11.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "dispatch.h"
#include "interruptible.h"
#include "profile.h"

#ifdef BAREGRAD_DEVICE
#include "../cuda/array.h"
#define STREAM_ARGUMENT , baregrad::current_stream()
#else
#include "numpy_array.h"
#define STREAM_ARGUMENT
#endif

// What every binding in ops/ is made of. A binding names its arguments once, by Call, and each is
// checked as it is named; then it runs the kernel. Only `View` (numpy_array.h or ../cuda/array.h)
// knows what an array is.
namespace baregrad {

namespace py = pybind11;

// Estimated nanoseconds above which the GIL is released: doing so around a short kernel beside a
// busy Python thread costs 3.7 ms. The estimates are for a CPU: a simulated device is 50 times slower.
#ifdef BAREGRAD_DEVICE
constexpr double kReleaseGil = 2e4;
#else
constexpr double kReleaseGil = 1e6;
#endif

// For estimates only: what one thread surely reaches.
constexpr double kFlopsPerNanosecond = 20, kBytesPerNanosecond = 10;

// Whether this is the main thread, in which alone Python runs signal handlers.
inline bool hears_signals() {
#ifdef __linux__
  return syscall(SYS_gettid) == getpid();
#else
  return pthread_main_np() != 0;
#endif
}

// Whether the handler of a signal that has come has raised, as that of Ctrl-C does.
inline bool handler_raised() {
  const py::gil_scoped_acquire acquire;
  return PyErr_CheckSignals() != 0;
}

class Call {
 public:
  explicit Call(const char* op) : op_(op) {}

  [[noreturn]] void wrong_value(const std::string& sentence) const {
    throw py::value_error(where() + sentence);
  }
  [[noreturn]] void wrong_type(const std::string& sentence) const {
    throw py::type_error(where() + sentence);
  }

  // A float32 array with any strides.
  View floats(const std::string& name, py::handle value) const {
    View view = array(name, value);
    expect_dtype(view, DType::float32);
    if (!view.is_aligned()) return view.aligned();
    return view;
  }

  // A float32 array in row-major order, copied if it was not.
  View contiguous(const std::string& name, py::handle value) const {
    View view = floats(name, value);
    if (!view.is_contiguous()) return view.contiguous();
    return view;
  }

  // An array of any type that we know, with any strides.
  View numbers(const std::string& name, py::handle value) const {
    View view = array(name, value);
    if (view.dtype == DType::other)
      wrong_type(view.name + " has dtype " + view.dtype_name() + ", expected one of " +
                 known_dtypes());
    return view.aligned();
  }

  // Class labels: integers of any width, as contiguous int64.
  View labels(const std::string& name, py::handle value) const {
    View view = array(name, value);
    if (!view.is_integer())
      wrong_type(view.name + " has dtype " + view.dtype_name() + ", expected int64");
    return view.as_int64();
  }

  // What a random kernel draws from: seed and offset.
  View state(const std::string& name, py::handle value) const {
    View view = array(name, value);
    expect_shape(view, {2});
    expect_dtype(view, DType::int64);
    return view.as_int64();
  }

  // What a value is: "a str", "an int".
  static std::string an(py::handle value) {
    const std::string name = Py_TYPE(value.ptr())->tp_name;
    return (std::string("aeiouAEIOU").find(name[0]) < 10 ? "an " : "a ") + name;
  }

  View array(const std::string& name, py::handle value) const {
    std::optional<View> view = View::of(value, name);
    if (!view) wrong_type(name + " is " + an(value) + ", expected " + View::kind());
    return std::move(*view);
  }

  // Where to write: `value` or, if that is None, a new array.
  View output(const std::string& name, py::handle value, const Shape& shape,
              DType dtype = DType::float32) const {
    if (value.is_none()) return View::make(dtype, shape);
    View view = array(name, value);
    expect_dtype(view, dtype);
    expect_shape(view, shape);
    if (!view.writeable) wrong_value(view.name + " is read-only");
    if (repeats_memory(view))
      wrong_value(view.name + " repeats memory, expected room for every element");
    if (!view.is_aligned()) wrong_value(view.name + " is not aligned to its elements");
    return view;
  }

  // An array that the kernel changes in place: it cannot be a copy.
  View in_place(const std::string& name, py::handle value, DType dtype = DType::float32) const {
    must_finish();
    View view = array(name, value);
    expect_dtype(view, dtype);
    if (!view.writeable) wrong_value(view.name + " is read-only");
    if (!view.is_contiguous())
      wrong_value(view.name + " has strides " + text(view.strides) +
                  " in bytes, expected a contiguous array");
    if (!view.is_aligned()) wrong_value(view.name + " is not aligned to its elements");
    return view;
  }

  void expect_dtype(const View& view, DType dtype) const {
    if (view.dtype != dtype)
      wrong_type(view.name + " has dtype " + view.dtype_name() + ", expected " + name_of(dtype));
  }
  void expect_shape(const View& view, const Shape& shape) const {
    if (view.shape != shape) wrong_shape(view, text(shape));
  }
  // One letter for each axis of any length: expect_rank(a, "mk") says "expected (m, k)".
  void expect_rank(const View& view, const std::string& letters) const {
    if (view.shape.size() == letters.size()) return;
    std::string expected;
    for (char letter : letters) expected += (expected.empty() ? "" : ", ") + std::string(1, letter);
    wrong_shape(view, "(" + expected + (letters.size() == 1 ? ",)" : ")"));
  }
  [[noreturn]] void wrong_shape(const View& view, const std::string& expected) const {
    wrong_value(view.name + " has shape " + text(view.shape) + ", expected " + expected);
  }

  // An output may be the very array of an elementwise input, but no other view of its memory.
  void expect_apart(const View& out, const View& in, bool may_be_same) const {
    if (!overlap(out, in)) return;
    const bool same = out.data == in.data && out.shape == in.shape && out.strides == in.strides;
    if (may_be_same && same) return must_finish();
    wrong_value(out.name + " shares memory with " + in.name + ", expected separate memory" +
                (may_be_same ? ", or " + in.name + " itself" : ""));
  }

  // What the kernel changes is worth keeping: a signal has to wait until it is done.
  void must_finish() const { may_stop_ = false; }

  // Run the kernel, which takes about this long: the one place that profiles, drops the GIL and lets
  // a signal's handler stop it.
  template <class Kernel>
  void run(double nanoseconds, const Kernel& kernel) const {
    const Stopwatch stopwatch(op_);
    if (nanoseconds <= kReleaseGil) {
      translate_exceptions(kernel);
    } else {
      bool stopped;
      {
        const py::gil_scoped_release release;
        const Interruptible interruptible(may_stop_ && hears_signals() ? handler_raised : nullptr,
                                          nanoseconds);
        translate_exceptions(kernel);
        stopped = interruptible.stopped();
      }
      if (stopped) throw py::error_already_set();
    }
    check_device(op_);
  }

 private:
  std::string where() const { return "[" + std::string(op_) + "] "; }

  // Kernels of ours throw std::bad_alloc at most; plug-ins may throw anything.
  template <class Kernel>
  void translate_exceptions(const Kernel& kernel) const {
    try {
      kernel();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& exception) {
      throw std::runtime_error(where() + exception.what());
    } catch (...) {
      throw std::runtime_error(where() + "the kernel threw what is no std::exception");
    }
  }

  const char* op_;
  mutable bool may_stop_ = true;
};

}  // namespace baregrad
