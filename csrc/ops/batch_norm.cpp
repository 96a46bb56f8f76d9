#include "../binding.h"

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,), and back
namespace baregrad {
namespace {

constexpr double kBatchNormCost = 0.6;  // nanoseconds a number

py::tuple batch_norm_forward(py::handle x_, py::handle weight_, py::handle bias_, double epsilon) {
  const Call call("batch_norm_forward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "ncs");
  const int64_t n = x.shape[0], c = x.shape[1], s = x.shape[2];
  const View weight = call.contiguous("weight", weight_);
  call.expect_shape(weight, {c});
  const View bias = call.contiguous("bias", bias_);
  call.expect_shape(bias, {c});
  if (n == 0 || s == 0) call.wrong_shape(x, "at least one value a channel");

  const View out = View::make(DType::float32, x.shape);
  const View mean = View::make(DType::float32, {c}), var = View::make(DType::float32, {c});
  call.run(double(x.size()) * kBatchNormCost, [&] {
    kernels().batch_norm_forward(x.as<float>(), weight.as<float>(), bias.as<float>(),
                                 out.as<float>(), mean.as<float>(), var.as<float>(), n, c, s,
                                 epsilon STREAM_ARGUMENT);
  });
  return py::make_tuple(out.object, mean.object, var.object);
}

py::tuple batch_norm_backward(py::handle x_, py::handle dout_, py::handle weight_, py::handle mean_,
                              py::handle var_, double epsilon) {
  const Call call("batch_norm_backward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "ncs");
  const int64_t n = x.shape[0], c = x.shape[1], s = x.shape[2];
  const View dout = call.contiguous("dout", dout_);
  call.expect_shape(dout, x.shape);
  const View weight = call.contiguous("weight", weight_);
  call.expect_shape(weight, {c});
  const View mean = call.contiguous("mean", mean_);
  call.expect_shape(mean, {c});
  const View var = call.contiguous("var", var_);
  call.expect_shape(var, {c});

  const View dx = View::make(DType::float32, x.shape);
  const View dweight = View::make(DType::float32, {c}), dbias = View::make(DType::float32, {c});
  call.run(double(x.size()) * kBatchNormCost, [&] {
    kernels().batch_norm_backward(
        x.as<float>(), dout.as<float>(), weight.as<float>(), mean.as<float>(), var.as<float>(),
        dx.as<float>(), dweight.as<float>(), dbias.as<float>(), n, c, s, epsilon STREAM_ARGUMENT);
  });
  return py::make_tuple(dx.object, dweight.object, dbias.object);
}

}  // namespace

void bind_batch_norm(py::module_& m) {
  using namespace py::literals;
  m.def("batch_norm_forward", &batch_norm_forward, "x"_a, "weight"_a, "bias"_a, py::kw_only(),
        "epsilon"_a = 1e-5,
        "x (n, c, s), weight (c,), bias (c,) -> out (n, c, s), mean (c,), var (c,)");
  m.def("batch_norm_backward", &batch_norm_backward, "x"_a, "dout"_a, "weight"_a, "mean"_a, "var"_a,
        py::kw_only(), "epsilon"_a = 1e-5,
        "x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)");
}

}  // namespace baregrad
