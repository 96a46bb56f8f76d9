// Rung 0: the definition, in double, number by number. The bias corrections, two calls of pow, are
// worked out for each number.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled) {
  const double rate = *learning_rate, steps = double(*step);
  for (int64_t t = 0; t < count; ++t) {
    const auto [param, grad, m, v, n] = tensors[t];
    for (int64_t i = 0; i < n; ++i) {
      const double p = decoupled ? param[i] * (1 - rate * weight_decay) : param[i];
      const double g = decoupled ? grad[i] : grad[i] + weight_decay * p;
      const double new_m = beta1 * m[i] + (1 - beta1) * g;
      const double new_v = beta2 * v[i] + (1 - beta2) * g * g;
      const double m_hat = new_m / (1 - pow(beta1, steps));
      const double v_hat = new_v / (1 - pow(beta2, steps));
      param[i] = float(p - rate * m_hat / (sqrt(v_hat) + epsilon));
      m[i] = float(new_m);
      v[i] = float(new_v);
    }
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->adam_step = adam_step; }
