#include "../window_arguments.h"

// x (n, c, h, w) -> columns (n, c kh kw, oh ow), and back
namespace baregrad {
namespace {

Conv2dSize columns_size(const Call& call, const Shape& images, py::handle kernel_,
                        py::handle stride_, py::handle padding_, py::handle dilation_) {
  const Shape kernel = counts(call, "kernel", kernel_, 1);
  Shape stride = counts(call, "stride", stride_, 1);
  const Shape padding = counts(call, "padding", padding_, 0);
  Shape dilation = counts(call, "dilation", dilation_, 1);
  const Shape out = output_size(call, images, kernel, stride, padding, dilation);
  return {images[0], images[1], images[2], images[3],  1,          kernel[0],   kernel[1],   out[0],
          out[1],    stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1], 1};
}

double columns_cost(const Conv2dSize& s) {
  const double cells = double(s.n) * double(s.c) * double(s.kh * s.kw) * double(s.oh * s.ow);
  return 8 * cells / kBytesPerNanosecond;
}

py::object im2col(py::handle x_, py::handle kernel, py::handle stride, py::handle padding,
                  py::handle dilation) {
  const Call call("im2col");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nchw");
  const Conv2dSize s = columns_size(call, x.shape, kernel, stride, padding, dilation);
  const View columns = View::make(DType::float32, {s.n, s.c * s.kh * s.kw, s.oh * s.ow});
  call.run(columns_cost(s),
           [&] { kernels().im2col(x.as<float>(), columns.as<float>(), s STREAM_ARGUMENT); });
  return columns.object;
}

py::object col2im(py::handle columns_, py::handle shape_, py::handle kernel, py::handle stride,
                  py::handle padding, py::handle dilation) {
  const Call call("col2im");
  const Shape shape = counts(call, "shape", shape_, 0, 4);
  const Conv2dSize s = columns_size(call, shape, kernel, stride, padding, dilation);
  const View columns = call.contiguous("columns", columns_);
  expect_lengths(call, columns, {s.n, s.c * s.kh * s.kw, s.oh * s.ow});
  const View x = View::make(DType::float32, shape);
  call.run(columns_cost(s),
           [&] { kernels().col2im(columns.as<float>(), x.as<float>(), s STREAM_ARGUMENT); });
  return x.object;
}

}  // namespace

void bind_im2col(py::module_& m) {
  using namespace py::literals;
  const py::tuple one = py::make_tuple(1, 1), zero = py::make_tuple(0, 0);
  m.def("im2col", &im2col, "x"_a, "kernel"_a, py::kw_only(), "stride"_a = one, "padding"_a = zero,
        "dilation"_a = one, "x (n, c, h, w), kernel (kh, kw) -> columns (n, c kh kw, oh ow)");
  m.def("col2im", &col2im, "columns"_a, "shape"_a, "kernel"_a, py::kw_only(), "stride"_a = one,
        "padding"_a = zero, "dilation"_a = one,
        "columns (n, c kh kw, oh ow) -> x of `shape` (n, c, h, w): what overlaps is summed");
}

}  // namespace baregrad
