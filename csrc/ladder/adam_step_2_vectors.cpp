// Rung 2: float32 throughout, and by vectors. `__restrict` promises the compiler that no array
// overlaps another; in double a vector would hold half as many, and each would be converted twice.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// What is the same for all numbers. 1 - beta is worked out in double: in float32 it would be off.
struct Adam {
  float beta1, beta2, rest1, rest2, epsilon, rate, correction, shrink, decay;
  bool decoupled;
};

// grad (n,) -> param, m, v (n,), in place
void step_tensor(const Adam& adam, float* __restrict param, const float* __restrict grad,
                 float* __restrict m, float* __restrict v, int64_t n) {
  const auto [beta1, beta2, rest1, rest2, epsilon, rate, correction, shrink, decay, decoupled] =
      adam;
  for (int64_t i = 0; i < n; ++i) {
    const float p = param[i] * shrink, g = decoupled ? grad[i] : grad[i] + decay * p;
    m[i] = beta1 * m[i] + rest1 * g;
    v[i] = beta2 * v[i] + rest2 * g * g;
    param[i] = p - rate * m[i] / (sqrtf(v[i] * correction) + epsilon);
  }
}

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled) {
  const double steps = double(*step);
  const Adam adam = {
      .beta1 = float(beta1),
      .beta2 = float(beta2),
      .rest1 = float(1 - beta1),
      .rest2 = float(1 - beta2),
      .epsilon = float(epsilon),
      .rate = float(*learning_rate / (1 - pow(beta1, steps))),
      .correction = float(1 / (1 - pow(beta2, steps))),
      .shrink = float(decoupled ? 1 - *learning_rate * weight_decay : 1),
      .decay = float(weight_decay),
      .decoupled = decoupled,
  };
  for (int64_t t = 0; t < count; ++t) {
    const auto [param, grad, m, v, n] = tensors[t];
    step_tensor(adam, param, grad, m, v, n);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->adam_step = adam_step; }
