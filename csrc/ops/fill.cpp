#include "../binding.h"
#include "../strided.h"

// value -> out (...), any type and strides
namespace baregrad {
namespace {

// A number as the bytes of an element of this type.
uint64_t bits_of(const Call& call, py::handle value, DType dtype) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1 && PyErr_Occurred()) throw py::error_already_set();
  const auto bits = [](auto element) {
    uint64_t word = 0;
    memcpy(&word, &element, sizeof element);
    return word;
  };
  if (dtype == DType::float32) return bits(float(number));
  if (dtype == DType::float64) return bits(number);
  if (dtype == DType::boolean) return number != 0;

  // Through an int, which may have more digits than a double. int(nan) raises a ValueError.
  const py::int_ whole = py::reinterpret_steal<py::int_>(PyNumber_Long(value.ptr()));
  if (!whole) throw py::error_already_set();
  int overflow;
  const int64_t integer = PyLong_AsLongLongAndOverflow(whole.ptr(), &overflow);
  if (overflow || (dtype == DType::uint8 && (integer < 0 || integer > UINT8_MAX)))
    call.wrong_value("value is " + std::string(py::str(value)) + ", which " + name_of(dtype) +
                     " cannot hold");
  return uint64_t(integer);
}

py::object fill(py::handle out_, py::handle value) {
  const Call call("fill");
  const View any = call.numbers("out", out_);
  const View out = call.output("out", out_, any.shape, any.dtype);
  const uint64_t bits = bits_of(call, value, out.dtype);
  const Walk<1> way = walk("fill", out.shape, out);
  const int64_t item = size_of(out.dtype);
  call.must_finish();
  call.run(double(out.size() * item) / kBytesPerNanosecond, [&] {
    kernels().fill(out.data, way.strides[0], way.extents, bits, item STREAM_ARGUMENT);
  });
  return out.object;
}

}  // namespace

void bind_fill(py::module_& m) {
  using namespace py::literals;
  m.def("fill", &fill, "out"_a, "value"_a, "out (...) -> out = value, in place");
}

}  // namespace baregrad
