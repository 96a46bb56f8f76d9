#include "../binding.h"
#include "../strided.h"

// x (...) -> out (...), any type and strides
namespace baregrad {
namespace {

py::object copy_strided(py::handle x_, py::handle out_) {
  const char* op = "copy_strided";
  const Call call(op);
  const View x = call.numbers("x", x_);
  const View out = call.output("out", out_, x.shape, x.dtype);
  call.expect_apart(out, x, false);
  const Walk<2> way = walk(op, x.shape, x, out);
  const int64_t item = size_of(x.dtype);
  if (!out_.is_none()) call.must_finish();
  call.run(double(x.size() * item) * 2 / kBytesPerNanosecond, [&] {
    kernels().copy_strided(x.data, way.strides[0], out.data, way.strides[1], way.extents,
                           item STREAM_ARGUMENT);
  });
  return out.object;
}

}  // namespace

void bind_copy_strided(py::module_& m) {
  using namespace py::literals;
  m.def("copy_strided", &copy_strided, "x"_a, py::kw_only(), "out"_a = py::none(),
        "x (...) -> out (...)");
}

}  // namespace baregrad
