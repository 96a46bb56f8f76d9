// Rung 0: the definition, tensor by tensor, number by number.
#include "../kernels.h"

namespace {

using namespace baregrad;

// grad (n,), learning_rate (1,) -> param, velocity (n,) of every tensor, in place
void sgd_step(const SgdTensor* tensors, int64_t count, const float* learning_rate, double momentum,
              double weight_decay, bool nesterov) {
  for (int64_t t = 0; t < count; ++t) {
    const auto [param, grad, velocity, n] = tensors[t];
    for (int64_t i = 0; i < n; ++i) {
      const double g = grad[i] + weight_decay * param[i];
      double v = g;
      if (velocity) velocity[i] = float(v = momentum * velocity[i] + g);
      param[i] -= float(*learning_rate * (nesterov ? g + momentum * v : v));
    }
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->sgd_step = sgd_step; }
