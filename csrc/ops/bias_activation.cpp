#include "../binding.h"

// x (n, c, ...), bias (c,) -> out (n, c, ...), and back
namespace baregrad {
namespace {

constexpr double kBiasActivationCost = 0.5;  // nanoseconds a number

// The s of x (n, c, ...) seen as (n, c, s).
int64_t length_of_channels(const Call& call, const View& x) {
  if (x.shape.size() < 2) call.wrong_shape(x, "(n, c, ...)");
  return elements({x.shape.begin() + 2, x.shape.end()});
}

UnaryKind activation_kind(const Call& call, const std::string& activation) {
  std::string names;
#define BAREGRAD_MATCH(kind)                    \
  if (activation == #kind) return unary_##kind; \
  names += (names.empty() ? "" : ", ") + std::string(#kind);
  BAREGRAD_ACTIVATION(BAREGRAD_MATCH)
#undef BAREGRAD_MATCH
  call.wrong_value("activation is " + std::string(py::repr(py::str(activation))) + ", expected " +
                   names);
}

py::object bias_activation_forward(py::handle x_, py::handle bias_, const std::string& activation,
                                   py::handle out_) {
  const Call call("bias_activation_forward");
  const View x = call.contiguous("x", x_);
  const int64_t s = length_of_channels(call, x), n = x.shape[0], c = x.shape[1];
  const View bias = call.contiguous("bias", bias_);
  call.expect_shape(bias, {c});
  const UnaryKind kind = activation_kind(call, activation);
  const View out = call.output("out", out_, x.shape);
  call.expect_apart(out, x, true);
  call.expect_apart(out, bias, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  if (x.size() == 0) return out.object;  // however many rows of nothing there are
  call.run(double(x.size()) * kBiasActivationCost, [&] {
    kernels().bias_activation_forward(kind, x.as<float>(), bias.as<float>(), result.as<float>(), n,
                                      c, s STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::tuple bias_activation_backward(py::handle saved_, py::handle dout_,
                                   const std::string& activation, py::handle out_) {
  const Call call("bias_activation_backward");
  const View saved = call.contiguous("saved", saved_);
  const int64_t s = length_of_channels(call, saved), n = saved.shape[0], c = saved.shape[1];
  const View dout = call.contiguous("dout", dout_);
  call.expect_shape(dout, saved.shape);
  const UnaryKind kind = activation_kind(call, activation);
  const View out = call.output("out", out_, saved.shape);
  call.expect_apart(out, saved, true);
  call.expect_apart(out, dout, true);
  const View dx = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const View dbias = View::make(DType::float32, {c});
  const int64_t rows = saved.size() > 0 ? n : 0;  // not many rows of nothing
  call.run(double(saved.size()) * kBiasActivationCost, [&] {
    kernels().bias_activation_backward(kind, saved.as<float>(), dout.as<float>(), dx.as<float>(),
                                       dbias.as<float>(), rows, c, s STREAM_ARGUMENT);
  });
  out.assign(dx);
  return py::make_tuple(out.object, dbias.object);
}

}  // namespace

void bind_bias_activation(py::module_& m) {
  using namespace py::literals;
  m.def("bias_activation_forward", &bias_activation_forward, "x"_a, "bias"_a, py::kw_only(),
        "activation"_a, "out"_a = py::none(),
        "x (n, c, ...), bias (c,) -> out (n, c, ...) = f(x + bias), f one of relu, sigmoid, tanh");
  m.def("bias_activation_backward", &bias_activation_backward, "saved"_a, "dout"_a, py::kw_only(),
        "activation"_a, "out"_a = py::none(),
        "saved, dout (n, c, ...) -> dx (n, c, ...), dbias (c,)");
}

}  // namespace baregrad
