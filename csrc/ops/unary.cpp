#include "../binding.h"

// x (...) -> out (...), and saved (...), dout (...) -> dx (...), for every kind.
namespace baregrad {
namespace {

constexpr double kUnaryCost = 0.2;  // nanoseconds an element

constexpr bool takes_alpha(UnaryKind kind) { return kind == unary_leaky_relu || kind == unary_elu; }

py::object unary_forward(const char* op, UnaryKind kind, py::handle x_, double alpha,
                         py::handle out_) {
  const Call call(op);
  const View x = call.contiguous("x", x_);
  const View out = call.output("out", out_, x.shape);
  call.expect_apart(out, x, true);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = x.size();
  call.run(double(n) * kUnaryCost, [&] {
    kernels().unary_forward(kind, x.as<float>(), result.as<float>(), n,
                            float(alpha) STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::object unary_backward(const char* op, UnaryKind kind, py::handle saved_, py::handle dout_,
                          double alpha, py::handle out_) {
  const Call call(op);
  const View saved = call.contiguous("saved", saved_);
  const View dout = call.contiguous("dout", dout_);
  call.expect_shape(dout, saved.shape);
  const View out = call.output("out", out_, saved.shape);
  call.expect_apart(out, saved, true);
  call.expect_apart(out, dout, true);
  const View dx = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  const int64_t n = saved.size();
  call.run(double(n) * kUnaryCost, [&] {
    kernels().unary_backward(kind, saved.as<float>(), dout.as<float>(), dx.as<float>(), n,
                             float(alpha) STREAM_ARGUMENT);
  });
  out.assign(dx);
  return out.object;
}

template <UnaryKind kind>
void bind_kind(py::module_& m, const char* forward, const char* backward) {
  using namespace py::literals;
  constexpr const char* forward_text = "x (...) -> out (...)";
  constexpr const char* backward_text = "saved (...), dout (...) -> dx (...)";
  const auto run_forward = [forward](py::handle x, double alpha, py::handle out) {
    return unary_forward(forward, kind, x, alpha, out);
  };
  const auto run_backward = [backward](py::handle saved, py::handle dout, double alpha,
                                       py::handle out) {
    return unary_backward(backward, kind, saved, dout, alpha, out);
  };
  if constexpr (takes_alpha(kind)) {
    m.def(forward, run_forward, "x"_a, py::kw_only(), "alpha"_a, "out"_a = py::none(),
          forward_text);
    m.def(backward, run_backward, "saved"_a, "dout"_a, py::kw_only(), "alpha"_a,
          "out"_a = py::none(), backward_text);
  } else {
    m.def(
        forward, [=](py::handle x, py::handle out) { return run_forward(x, 0, out); }, "x"_a,
        py::kw_only(), "out"_a = py::none(), forward_text);
    m.def(
        backward,
        [=](py::handle saved, py::handle dout, py::handle out) {
          return run_backward(saved, dout, 0, out);
        },
        "saved"_a, "dout"_a, py::kw_only(), "out"_a = py::none(), backward_text);
  }
}

}  // namespace

void bind_unary(py::module_& m) {
  py::list kinds;
#define BAREGRAD_BIND(kind)                                        \
  bind_kind<unary_##kind>(m, #kind "_forward", #kind "_backward"); \
  kinds.append(#kind);
  BAREGRAD_UNARY(BAREGRAD_BIND)
#undef BAREGRAD_BIND
  m.attr("UNARY") = py::tuple(kinds);
}

}  // namespace baregrad
