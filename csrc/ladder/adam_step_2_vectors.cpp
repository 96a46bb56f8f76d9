// Rung 2: float32 throughout, and by vectors. `__restrict` promises the compiler that no array
// overlaps another; in double a vector would hold half as many, and each would be converted twice.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

// What is the same for all numbers. 1 - beta is worked out in double: in float32 it would be off.
struct Adam {
  float beta1, beta2, rest1, rest2, epsilon, rate, correction, shrink, decay;

  Adam(float learning_rate, double steps, double b1, double b2, double eps, double weight_decay,
       bool decoupled)
      : beta1(float(b1)),
        beta2(float(b2)),
        rest1(float(1 - b1)),
        rest2(float(1 - b2)),
        epsilon(float(eps)),
        rate(float(learning_rate / (1 - pow(b1, steps)))),
        correction(float(1 / (1 - pow(b2, steps)))),
        shrink(float(decoupled ? 1 - learning_rate * weight_decay : 1)),
        decay(float(decoupled ? 0 : weight_decay)) {}
};

// grad (n,) -> param, m, v (n,), in place
void step_tensor(const Adam& adam, float* __restrict param, const float* __restrict grad,
                 float* __restrict m, float* __restrict v, int64_t n) {
  const auto [beta1, beta2, rest1, rest2, epsilon, rate, correction, shrink, decay] = adam;
  for (int64_t i = 0; i < n; ++i) {
    const float p = param[i] * shrink, g = grad[i] + decay * p;
    m[i] = beta1 * m[i] + rest1 * g;
    v[i] = beta2 * v[i] + rest2 * g * g;
    param[i] = p - rate * m[i] / (sqrtf(v[i] * correction) + epsilon);
  }
}

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled) {
  const Adam adam(*learning_rate, double(*step), beta1, beta2, epsilon, weight_decay, decoupled);
  for (int64_t t = 0; t < count; ++t) {
    const auto [param, grad, m, v, n] = tensors[t];
    step_tensor(adam, param, grad, m, v, n);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->adam_step = adam_step; }
