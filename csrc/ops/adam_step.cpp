#include "../tensor_list.h"

// params, grads, ms, vs, learning_rate (1,), step (1,) -> params, ms, vs, in place
namespace baregrad {
namespace {

void adam_step(py::handle params_, py::handle grads_, py::handle ms_, py::handle vs_,
               py::handle learning_rate_, py::handle step_, double beta1, double beta2,
               double epsilon, double weight_decay, bool decoupled) {
  const Call call("adam_step");
  std::vector<Operand> lists(1, tensor_list(call, "params", params_, true, nullptr));
  lists.push_back(tensor_list(call, "grads", grads_, false, &lists[0]));
  lists.push_back(tensor_list(call, "ms", ms_, true, &lists[0]));
  lists.push_back(tensor_list(call, "vs", vs_, true, &lists[0]));
  const View learning_rate = call.contiguous("learning_rate", learning_rate_);
  call.expect_shape(learning_rate, {1});
  const View step = call.array("step", step_);
  call.expect_shape(step, {1});
  call.expect_dtype(step, DType::int64);
  lists.push_back({"learning_rate", false, {learning_rate}});
  lists.push_back({"step", false, {step}});
  expect_all_apart(call, lists);

  std::vector<AdamTensor> tensors;
  for (size_t i = 0; i < lists[0].views.size(); ++i)
    tensors.push_back({lists[0].views[i].as<float>(), lists[1].views[i].as<float>(),
                       lists[2].views[i].as<float>(), lists[3].views[i].as<float>(),
                       lists[0].views[i].size()});
  call.run(double(total_size(lists[0])) * 28 / kBytesPerNanosecond, [&] {
    kernels().adam_step(tensors.data(), int64_t(tensors.size()), learning_rate.as<float>(),
                        step.as<int64_t>(), beta1, beta2, epsilon, weight_decay,
                        decoupled STREAM_ARGUMENT);
  });
}

}  // namespace

void bind_adam_step(py::module_& m) {
  using namespace py::literals;
  m.def("adam_step", &adam_step, "params"_a, "grads"_a, "ms"_a, "vs"_a, "learning_rate"_a, "step"_a,
        py::kw_only(), "beta1"_a = 0.9, "beta2"_a = 0.999, "epsilon"_a = 1e-8,
        "weight_decay"_a = 0.0, "decoupled"_a = false,
        "params, grads, ms, vs, each a list of (...), learning_rate (1,), step (1,) -> params, ms, "
        "vs, in place");
}

}  // namespace baregrad
