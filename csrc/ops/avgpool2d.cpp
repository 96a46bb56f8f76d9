#include "../window_arguments.h"

// x (n, c, h, w) -> out (n, c, oh, ow), and back
namespace baregrad {
namespace {

constexpr double kMeanCost = 0.3;  // nanoseconds a cell

py::object avgpool2d_forward(py::handle x_, py::handle kernel, py::handle stride,
                             py::handle padding, py::handle out_) {
  const Call call("avgpool2d_forward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nchw");
  const Pool2dSize s = pool_size(call, x.shape, kernel, stride, padding);
  const Shape shape = {x.shape[0], x.shape[1], s.oh, s.ow};
  const View out = call.output("out", out_, shape);
  call.expect_apart(out, x, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, shape);
  call.run(double(result.size()) * double(s.kh * s.kw) * kMeanCost, [&] {
    kernels().avgpool2d_forward(x.as<float>(), result.as<float>(), s STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::object avgpool2d_backward(py::handle dout_, py::handle shape_, py::handle kernel,
                              py::handle stride, py::handle padding) {
  const Call call("avgpool2d_backward");
  const Shape shape = counts(call, "shape", shape_, 0, 4);
  const Pool2dSize s = pool_size(call, shape, kernel, stride, padding);
  const View dout = call.contiguous("dout", dout_);
  expect_lengths(call, dout, {shape[0], shape[1], s.oh, s.ow});
  const View dx = View::make(DType::float32, shape);
  call.run(double(dout.size()) * double(s.kh * s.kw) * kMeanCost, [&] {
    kernels().avgpool2d_backward(dout.as<float>(), dx.as<float>(), s STREAM_ARGUMENT);
  });
  return dx.object;
}

}  // namespace

void bind_avgpool2d(py::module_& m) {
  using namespace py::literals;
  const py::tuple zero = py::make_tuple(0, 0);
  m.def("avgpool2d_forward", &avgpool2d_forward, "x"_a, "kernel"_a, py::kw_only(), "stride"_a,
        "padding"_a = zero, "out"_a = py::none(),
        "x (n, c, h, w), kernel (kh, kw) -> out (n, c, oh, ow): sum / (kh kw)");
  m.def("avgpool2d_backward", &avgpool2d_backward, "dout"_a, "shape"_a, "kernel"_a, py::kw_only(),
        "stride"_a, "padding"_a = zero,
        "dout (n, c, oh, ow) -> dx of `shape` (n, c, h, w): dout / (kh kw) to all its window");
}

}  // namespace baregrad
