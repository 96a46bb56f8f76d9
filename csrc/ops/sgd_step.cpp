#include "../tensor_list.h"

// params, grads, velocities, learning_rate (1,) -> params, velocities, in place
namespace baregrad {
namespace {

void sgd_step(py::handle params_, py::handle grads_, py::handle velocities_,
              py::handle learning_rate_, double momentum, double weight_decay, bool nesterov) {
  const Call call("sgd_step");
  std::vector<Operand> lists(1, tensor_list(call, "params", params_, true, nullptr));
  lists.push_back(tensor_list(call, "grads", grads_, false, &lists[0]));
  if (!velocities_.is_none())
    lists.push_back(tensor_list(call, "velocities", velocities_, true, &lists[0]));
  const View learning_rate = call.contiguous("learning_rate", learning_rate_);
  call.expect_shape(learning_rate, {1});
  lists.push_back({"learning_rate", false, {learning_rate}});
  expect_all_apart(call, lists);

  std::vector<SgdTensor> tensors;
  for (size_t i = 0; i < lists[0].views.size(); ++i)
    tensors.push_back({lists[0].views[i].as<float>(), lists[1].views[i].as<float>(),
                       velocities_.is_none() ? nullptr : lists[2].views[i].as<float>(),
                       lists[0].views[i].size()});
  call.run(double(total_size(lists[0])) * 20 / kBytesPerNanosecond, [&] {
    kernels().sgd_step(tensors.data(), int64_t(tensors.size()), learning_rate.as<float>(), momentum,
                       weight_decay, nesterov STREAM_ARGUMENT);
  });
}

}  // namespace

void bind_sgd_step(py::module_& m) {
  using namespace py::literals;
  m.def("sgd_step", &sgd_step, "params"_a, "grads"_a, "velocities"_a, "learning_rate"_a,
        py::kw_only(), "momentum"_a = 0.0, "weight_decay"_a = 0.0, "nesterov"_a = false,
        "params, grads, velocities, each a list of (...), learning_rate (1,) -> params, "
        "velocities, in place");
}

}  // namespace baregrad
