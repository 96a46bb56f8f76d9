#include "../window_arguments.h"

// x (n, c, h, w), w (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow), and back
namespace baregrad {
namespace {

void expect_groups(const Call& call, int64_t groups, int64_t c, int64_t o) {
  for (const auto& [name, channels] : {std::pair("c", c), std::pair("o", o)})
    if (groups < 1 || channels % groups)
      call.wrong_value("groups is " + std::to_string(groups) + ", expected a divisor of " + name +
                       ", " + std::to_string(channels));
}

// images (n, c, h, w) and o filters of kernel {kh, kw}
Conv2dSize conv_size(const Call& call, const Shape& images, int64_t o, const Shape& kernel,
                     py::handle stride_, py::handle padding_, py::handle dilation_,
                     int64_t groups) {
  Shape stride = counts(call, "stride", stride_, 1);
  const Shape padding = counts(call, "padding", padding_, 0);
  Shape dilation = counts(call, "dilation", dilation_, 1);
  Shape both = images;  // the channels that windows read and those that they make
  if (__builtin_add_overflow(images[1], o, &both[1])) throw std::bad_alloc();
  const Shape out = output_size(call, both, kernel, stride, padding, dilation);
  elements({std::max<int64_t>(images[1], 1), std::max<int64_t>(o, 1), kernel[0], kernel[1]});
  return {images[0],  images[1],   images[2],   images[3], o,         kernel[0],
          kernel[1],  out[0],      out[1],      stride[0], stride[1], padding[0],
          padding[1], dilation[0], dilation[1], groups};
}

// {kh, kw} of w, if it fits images of c channels.
Shape weight_kernel(const Call& call, const View& w, int64_t c, int64_t groups) {
  expect_lengths(call, w, {"o", "c", "kh", "kw"});
  expect_groups(call, groups, c, w.shape[0]);
  expect_lengths(call, w, {"o", c / groups, "kh", "kw"});
  return counts(call, "kernel", py::make_tuple(w.shape[2], w.shape[3]), 1);
}

double conv_cost(const Conv2dSize& s) {
  const double terms = double(s.c / s.groups) * double(s.kh * s.kw);
  return 2 * terms * double(s.n) * double(s.o) * double(s.oh * s.ow) / kFlopsPerNanosecond;
}

py::object conv2d_forward(py::handle x_, py::handle w_, py::handle bias_, py::handle stride,
                          py::handle padding, py::handle dilation, py::handle groups_,
                          py::handle out_) {
  const Call call("conv2d_forward");
  const int64_t groups = integer(call, "groups", groups_);
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nchw");
  const View w = call.contiguous("w", w_);
  const Shape kernel = weight_kernel(call, w, x.shape[1], groups);
  const int64_t o = w.shape[0];
  const Conv2dSize s = conv_size(call, x.shape, o, kernel, stride, padding, dilation, groups);
  const View out = call.output("out", out_, {s.n, s.o, s.oh, s.ow});
  call.expect_apart(out, x, false);
  call.expect_apart(out, w, false);
  std::optional<View> bias;
  if (!bias_.is_none()) {
    bias = call.contiguous("bias", bias_);
    call.expect_shape(*bias, {s.o});
    call.expect_apart(out, *bias, false);
  }

  if (out.size() == 0) return out.object;  // however many images or groups of nothing there are
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const Kernels& table = kernels();
  const Workspace workspace(table.conv2d_forward_workspace(s));
  call.run(conv_cost(s), [&] {
    table.conv2d_forward(x.as<float>(), w.as<float>(), bias ? bias->as<float>() : nullptr,
                         result.as<float>(), s, workspace.data() STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::object conv2d_backward_input(py::handle dout_, py::handle w_, py::handle shape_,
                                 py::handle stride, py::handle padding, py::handle dilation,
                                 py::handle groups_) {
  const Call call("conv2d_backward_input");
  const int64_t groups = integer(call, "groups", groups_);
  const View dout = call.contiguous("dout", dout_);
  expect_lengths(call, dout, {"n", "o", "oh", "ow"});
  const Shape shape = counts(call, "shape", shape_, 0, 4);
  const View w = call.contiguous("w", w_);
  const Shape kernel = weight_kernel(call, w, shape[1], groups);
  const int64_t o = w.shape[0];
  const Conv2dSize s = conv_size(call, shape, o, kernel, stride, padding, dilation, groups);
  expect_lengths(call, dout, {s.n, s.o, s.oh, s.ow});

  const View dx = View::make(DType::float32, shape);
  if (dx.size() == 0) return dx.object;
  const Kernels& table = kernels();
  const Workspace workspace(table.conv2d_backward_input_workspace(s));
  call.run(conv_cost(s), [&] {
    table.conv2d_backward_input(dout.as<float>(), w.as<float>(), dx.as<float>(), s,
                                workspace.data() STREAM_ARGUMENT);
  });
  return dx.object;
}

py::object conv2d_backward_weight(py::handle x_, py::handle dout_, py::handle kernel_,
                                  py::handle stride, py::handle padding, py::handle dilation,
                                  py::handle groups_) {
  const Call call("conv2d_backward_weight");
  const int64_t groups = integer(call, "groups", groups_);
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nchw");
  const View dout = call.contiguous("dout", dout_);
  expect_lengths(call, dout, {"n", "o", "oh", "ow"});
  const Shape kernel = counts(call, "kernel", kernel_, 1);
  const int64_t o = dout.shape[1];
  const Conv2dSize s = conv_size(call, x.shape, o, kernel, stride, padding, dilation, groups);
  expect_lengths(call, dout, {s.n, "o", s.oh, s.ow});
  expect_groups(call, groups, s.c, s.o);

  const View dw = View::make(DType::float32, {s.o, s.c / groups, s.kh, s.kw});
  if (dw.size() == 0) return dw.object;
  const Kernels& table = kernels();
  const Workspace workspace(table.conv2d_backward_weight_workspace(s));
  call.run(conv_cost(s), [&] {
    table.conv2d_backward_weight(x.as<float>(), dout.as<float>(), dw.as<float>(), s,
                                 workspace.data() STREAM_ARGUMENT);
  });
  return dw.object;
}

}  // namespace

void bind_conv2d(py::module_& m) {
  using namespace py::literals;
  const py::tuple one = py::make_tuple(1, 1), zero = py::make_tuple(0, 0);
  m.def("conv2d_forward", &conv2d_forward, "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(),
        "stride"_a = one, "padding"_a = zero, "dilation"_a = one, "groups"_a = 1,
        "out"_a = py::none(),
        "x (n, c, h, w), w (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)");
  m.def("conv2d_backward_input", &conv2d_backward_input, "dout"_a, "w"_a, "shape"_a, py::kw_only(),
        "stride"_a = one, "padding"_a = zero, "dilation"_a = one, "groups"_a = 1,
        "dout (n, o, oh, ow), w (o, c / groups, kh, kw) -> dx of `shape` (n, c, h, w)");
  m.def("conv2d_backward_weight", &conv2d_backward_weight, "x"_a, "dout"_a, "kernel"_a,
        py::kw_only(), "stride"_a = one, "padding"_a = zero, "dilation"_a = one, "groups"_a = 1,
        "x (n, c, h, w), dout (n, o, oh, ow), kernel (kh, kw) -> dw (o, c / groups, kh, kw)");
}

}  // namespace baregrad
