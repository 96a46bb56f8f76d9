#include "../binding.h"

// x (n, d), weight, bias (d,) -> out (n, d), mean, r (n,), and back
namespace baregrad {
namespace {

constexpr double kLayerNormCost = 0.6;  // nanoseconds a number

py::tuple layer_norm_forward(py::handle x_, py::handle weight_, py::handle bias_, double epsilon) {
  const Call call("layer_norm_forward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nd");
  const int64_t n = x.shape[0], d = x.shape[1];
  const View weight = call.contiguous("weight", weight_);
  call.expect_shape(weight, {d});
  const View bias = call.contiguous("bias", bias_);
  call.expect_shape(bias, {d});

  const View out = View::make(DType::float32, x.shape);
  const View mean = View::make(DType::float32, {n}), r = View::make(DType::float32, {n});
  call.run(double(x.size()) * kLayerNormCost, [&] {
    kernels().layer_norm_forward(x.as<float>(), weight.as<float>(), bias.as<float>(),
                                 out.as<float>(), mean.as<float>(), r.as<float>(), n, d,
                                 epsilon STREAM_ARGUMENT);
  });
  return py::make_tuple(out.object, mean.object, r.object);
}

py::tuple layer_norm_backward(py::handle x_, py::handle dout_, py::handle weight_, py::handle mean_,
                              py::handle r_) {
  const Call call("layer_norm_backward");
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nd");
  const int64_t n = x.shape[0], d = x.shape[1];
  const View dout = call.contiguous("dout", dout_);
  call.expect_shape(dout, x.shape);
  const View weight = call.contiguous("weight", weight_);
  call.expect_shape(weight, {d});
  const View mean = call.contiguous("mean", mean_);
  call.expect_shape(mean, {n});
  const View r = call.contiguous("r", r_);
  call.expect_shape(r, {n});

  const View dx = View::make(DType::float32, x.shape);
  const View dweight = View::make(DType::float32, {d}), dbias = View::make(DType::float32, {d});
  const Kernels& table = kernels();
  const Workspace workspace(table.layer_norm_backward_workspace(n, d));
  call.run(double(x.size()) * kLayerNormCost, [&] {
    table.layer_norm_backward(x.as<float>(), dout.as<float>(), weight.as<float>(), mean.as<float>(),
                              r.as<float>(), dx.as<float>(), dweight.as<float>(), dbias.as<float>(),
                              n, d, workspace.data() STREAM_ARGUMENT);
  });
  return py::make_tuple(dx.object, dweight.object, dbias.object);
}

}  // namespace

void bind_layer_norm(py::module_& m) {
  using namespace py::literals;
  m.def("layer_norm_forward", &layer_norm_forward, "x"_a, "weight"_a, "bias"_a, py::kw_only(),
        "epsilon"_a = 1e-5, "x (n, d), weight (d,), bias (d,) -> out (n, d), mean (n,), r (n,)");
  m.def("layer_norm_backward", &layer_norm_backward, "x"_a, "dout"_a, "weight"_a, "mean"_a, "r"_a,
        "x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d), dweight, dbias (d,)");
}

}  // namespace baregrad
