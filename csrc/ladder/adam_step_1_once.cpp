// Rung 1: what is the same for all numbers, worked out once. Before, two calls of pow and two
// divisions by their results went into every number.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled) {
  const double steps = double(*step);
  const double rate = *learning_rate / (1 - pow(beta1, steps));
  const double correction = 1 / (1 - pow(beta2, steps));
  const double shrink = decoupled ? 1 - *learning_rate * weight_decay : 1;
  for (int64_t t = 0; t < count; ++t) {
    const auto [param, grad, m, v, n] = tensors[t];
    for (int64_t i = 0; i < n; ++i) {
      const double p = param[i] * shrink;
      const double g = decoupled ? grad[i] : grad[i] + weight_decay * p;
      const double new_m = beta1 * m[i] + (1 - beta1) * g;
      const double new_v = beta2 * v[i] + (1 - beta2) * g * g;
      param[i] = float(p - rate * new_m / (sqrt(new_v * correction) + epsilon));
      m[i] = float(new_m);
      v[i] = float(new_v);
    }
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->adam_step = adam_step; }
