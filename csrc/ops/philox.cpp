#include "../binding.h"

// state (2,) -> out (...), and x (...), state (2,) -> out (...), of random numbers by their place
namespace baregrad {
namespace {

// Nanoseconds a number.
constexpr double kUniformCost = 0.3, kNormalCost = 2;

using Draw = decltype(Kernels::philox_uniform);

py::object draw(const char* op, Draw Kernels::* kernel, double cost, py::handle state_,
                py::handle out_) {
  const Call call(op);
  const View state = call.state("state", state_);
  const View out = call.output("out", out_, call.array("out", out_).shape);
  call.expect_apart(out, state, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = out.size();
  call.run(double(n) * cost, [&] {
    (kernels().*kernel)(state.as<int64_t>(), result.as<float>(), n STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::object philox_uniform(py::handle state, py::handle out) {
  return draw("philox_uniform", &Kernels::philox_uniform, kUniformCost, state, out);
}

py::object philox_normal(py::handle state, py::handle out) {
  return draw("philox_normal", &Kernels::philox_normal, kNormalCost, state, out);
}

py::object philox_dropout(py::handle x_, py::handle state_, double p, py::handle out_) {
  const Call call("philox_dropout");
  const View x = call.contiguous("x", x_);
  const View state = call.state("state", state_);
  if (!(p >= 0 && p <= 1))
    call.wrong_value("p is " + std::string(py::str(py::float_(p))) + ", expected 0 <= p <= 1");
  const View out = call.output("out", out_, x.shape);
  call.expect_apart(out, x, true);
  call.expect_apart(out, state, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = x.size();
  call.run(double(n) * kUniformCost, [&] {
    kernels().philox_dropout(x.as<float>(), state.as<int64_t>(), result.as<float>(), n,
                             p STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

}  // namespace

void bind_philox(py::module_& m) {
  using namespace py::literals;
  m.def("philox_uniform", &philox_uniform, "state"_a, py::kw_only(), "out"_a,
        "state (2,) -> out (...), in place: uniform in [0, 1)");
  m.def("philox_normal", &philox_normal, "state"_a, py::kw_only(), "out"_a,
        "state (2,) -> out (...), in place: normal with mean 0 and variance 1");
  m.def("philox_dropout", &philox_dropout, "x"_a, "state"_a, py::kw_only(), "p"_a,
        "out"_a = py::none(),
        "x (...), state (2,) -> out (...) = x / (1 - p) where its uniform number is >= p, else 0");
}

}  // namespace baregrad
