#include "../window_arguments.h"

// x (n, c, h, w) -> out (n, c, oh, ow), places (n, c, oh, ow), and back
namespace baregrad {
namespace {

constexpr int64_t kMostCells = 256;  // of a window: a place in it is a byte
constexpr double kMaxCost = 0.5;     // nanoseconds a cell

py::tuple maxpool2d_forward(py::handle x_, py::handle kernel, py::handle stride, py::handle padding,
                            py::handle out_) {
  const Call call("maxpool2d_forward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nchw");
  const Pool2dSize s = pool_size(call, x.shape, kernel, stride, padding);
  if (s.kh > kMostCells || s.kw > kMostCells || s.kh * s.kw > kMostCells)
    call.wrong_value("kernel is " + text({s.kh, s.kw}) + ", expected at most " +
                     std::to_string(kMostCells) + " cells in a window");
  const Shape shape = {x.shape[0], x.shape[1], s.oh, s.ow};
  const View out = call.output("out", out_, shape);
  call.expect_apart(out, x, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, shape);
  const View places = View::make(DType::uint8, shape);
  call.run(double(places.size()) * double(s.kh * s.kw) * kMaxCost, [&] {
    kernels().maxpool2d_forward(x.as<float>(), result.as<float>(), places.as<uint8_t>(),
                                s STREAM_ARGUMENT);
  });
  out.assign(result);
  return py::make_tuple(out.object, places.object);
}

py::object maxpool2d_backward(py::handle places_, py::handle dout_, py::handle shape_,
                              py::handle kernel, py::handle stride, py::handle padding) {
  const Call call("maxpool2d_backward");
  const Shape shape = counts(call, "shape", shape_, 0, 4);
  const Pool2dSize s = pool_size(call, shape, kernel, stride, padding);
  const View dout = call.contiguous("dout", dout_);
  expect_lengths(call, dout, {shape[0], shape[1], s.oh, s.ow});
  View places = call.array("places", places_);
  expect_lengths(call, places, {shape[0], shape[1], s.oh, s.ow});
  call.expect_dtype(places, DType::uint8);
  places = places.contiguous();
  const View dx = View::make(DType::float32, shape);
  call.run(double(dout.size()) * kMaxCost, [&] {
    kernels().maxpool2d_backward(places.as<uint8_t>(), dout.as<float>(), dx.as<float>(),
                                 s STREAM_ARGUMENT);
  });
  return dx.object;
}

}  // namespace

void bind_maxpool2d(py::module_& m) {
  using namespace py::literals;
  const py::tuple zero = py::make_tuple(0, 0);
  m.def("maxpool2d_forward", &maxpool2d_forward, "x"_a, "kernel"_a, py::kw_only(), "stride"_a,
        "padding"_a = zero, "out"_a = py::none(),
        "x (n, c, h, w), kernel (kh, kw) -> out (n, c, oh, ow), places (n, c, oh, ow) uint8");
  m.def("maxpool2d_backward", &maxpool2d_backward, "places"_a, "dout"_a, "shape"_a, "kernel"_a,
        py::kw_only(), "stride"_a, "padding"_a = zero,
        "places (n, c, oh, ow) uint8, dout (n, c, oh, ow) -> dx of `shape` (n, c, h, w)");
}

}  // namespace baregrad
