#include "../binding.h"

// param, grad, m, v (...), learning_rate (1,), step (1,) -> param, m, v, in place
namespace baregrad {
namespace {

void adam_step(py::handle param_, py::handle grad_, py::handle m_, py::handle v_,
               py::handle learning_rate_, py::handle step_, double beta1, double beta2,
               double epsilon, double weight_decay) {
  const Call call("adam_step");
  const View param = call.in_place("param", param_);
  const View m = call.in_place("m", m_), v = call.in_place("v", v_);
  const View grad = call.contiguous("grad", grad_);
  for (const View* view : {&m, &v, &grad}) call.expect_shape(*view, param.shape);
  for (const View* view : {&m, &v, &grad}) call.expect_apart(param, *view, false);
  for (const View* view : {&v, &grad}) call.expect_apart(m, *view, false);
  call.expect_apart(v, grad, false);
  const View learning_rate = call.contiguous("learning_rate", learning_rate_);
  call.expect_shape(learning_rate, {1});
  const View step = call.array("step", step_);
  call.expect_dtype(step, DType::int64);
  call.expect_shape(step, {1});
  for (const View* state : {&param, &m, &v}) {
    call.expect_apart(*state, learning_rate, false);
    call.expect_apart(*state, step, false);
  }

  const int64_t n = param.size();
  call.run(double(n) * 28 / kBytesPerNanosecond, [&] {
    kernels().adam_step(param.as<float>(), grad.as<float>(), m.as<float>(), v.as<float>(), n,
                        learning_rate.as<float>(), step.as<int64_t>(), beta1, beta2, epsilon,
                        weight_decay STREAM_ARGUMENT);
  });
}

}  // namespace

void bind_adam_step(py::module_& m) {
  using namespace py::literals;
  m.def("adam_step", &adam_step, "param"_a, "grad"_a, "m"_a, "v"_a, "learning_rate"_a, "step"_a,
        py::kw_only(), "beta1"_a = 0.9, "beta2"_a = 0.999, "epsilon"_a = 1e-8,
        "weight_decay"_a = 0.0,
        "param, grad, m, v (...), learning_rate (1,), step (1,) -> param, m, v, in place");
}

}  // namespace baregrad
