#include "../binding.h"

// x (...) -> out (...) of another type
namespace baregrad {
namespace {

constexpr double kCastCost = 0.5;  // nanoseconds an element

static_assert(int(DType::boolean) == int(number_boolean), "DType and NumberType list alike");

py::object cast(py::handle x_, py::handle dtype) {
  const Call call("cast");
  const DType to = dtype_from("cast", dtype);
  const View x = call.numbers("x", x_).contiguous();
  const View out = View::make(to, x.shape);
  const int64_t n = x.size();
  call.run(double(n) * kCastCost, [&] {
    kernels().cast(x.data, NumberType(x.dtype), out.data, NumberType(to), n STREAM_ARGUMENT);
  });
  return out.object;
}

}  // namespace

void bind_cast(py::module_& m) {
  using namespace py::literals;
  m.def("cast", &cast, "x"_a, "dtype"_a, "x (...) -> out (...) of type dtype");
}

}  // namespace baregrad
