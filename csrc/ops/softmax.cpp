#include "../binding.h"

// x (n, c) -> out (n, c), and saved (n, c), dout (n, c) -> dx (n, c), for softmax and its logarithm
namespace baregrad {
namespace {

constexpr double kSoftmaxRowCost = 1;  // nanoseconds a number

py::object softmax_forward(const char* op, decltype(Kernels::softmax_forward) Kernels::* kernel,
                           py::handle x_, py::handle out_) {
  const Call call(op);
  const View x = call.contiguous("x", x_);
  call.expect_rank(x, "nc");
  const View out = call.output("out", out_, x.shape);
  call.expect_apart(out, x, true);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = x.shape[0], c = x.shape[1];
  if (x.size() == 0) return out.object;  // however many rows of nothing there are
  call.run(double(n) * double(c) * kSoftmaxRowCost,
           [&] { (kernels().*kernel)(x.as<float>(), result.as<float>(), n, c STREAM_ARGUMENT); });
  out.assign(result);
  return out.object;
}

py::object softmax_backward(const char* op, decltype(Kernels::softmax_backward) Kernels::* kernel,
                            py::handle saved_, py::handle dout_, py::handle out_) {
  const Call call(op);
  const View saved = call.contiguous("saved", saved_);
  call.expect_rank(saved, "nc");
  const View dout = call.contiguous("dout", dout_);
  call.expect_shape(dout, saved.shape);
  const View out = call.output("out", out_, saved.shape);
  call.expect_apart(out, saved, true);
  call.expect_apart(out, dout, true);
  const View dx = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = saved.shape[0], c = saved.shape[1];
  if (saved.size() == 0) return out.object;  // however many rows of nothing there are
  call.run(double(n) * double(c) * kSoftmaxRowCost, [&] {
    (kernels().*kernel)(saved.as<float>(), dout.as<float>(), dx.as<float>(), n, c STREAM_ARGUMENT);
  });
  out.assign(dx);
  return out.object;
}

}  // namespace

void bind_softmax(py::module_& m) {
  using namespace py::literals;
  const auto forward = [&m](const char* name, auto kernel, const char* text) {
    m.def(
        name,
        [name, kernel](py::handle x, py::handle out) {
          return softmax_forward(name, kernel, x, out);
        },
        "x"_a, py::kw_only(), "out"_a = py::none(), text);
  };
  const auto backward = [&m](const char* name, auto kernel, const char* text) {
    m.def(
        name,
        [name, kernel](py::handle saved, py::handle dout, py::handle out) {
          return softmax_backward(name, kernel, saved, dout, out);
        },
        "saved"_a, "dout"_a, py::kw_only(), "out"_a = py::none(), text);
  };
  forward("softmax_forward", &Kernels::softmax_forward,
          "x (n, c) -> out (n, c) = exp(x) / sum of exp(x) over c");
  backward("softmax_backward", &Kernels::softmax_backward,
           "saved (n, c), dout (n, c) -> dx (n, c) = saved (dout - sum saved dout)");
  forward("log_softmax_forward", &Kernels::log_softmax_forward,
          "x (n, c) -> out (n, c) = x - log of the sum of exp(x) over c");
  backward("log_softmax_backward", &Kernels::log_softmax_backward,
           "saved (n, c), dout (n, c) -> dx (n, c) = dout - exp(saved) sum dout");
}

}  // namespace baregrad
