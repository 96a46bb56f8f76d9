// Rung 3: threads share the numbers of all tensors. They are cut as if the tensors stood one after
// another, so that 200 small ones cost no more than one large one.
#include <math.h>

#include "../kernels.h"
#include "threads.h"

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

// Numbers for which a thread is worth waking: about 10 us of memory traffic.
constexpr int64_t kGrain = 1 << 14;

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
  int64_t numbers = 0;
  for (int64_t t = 0; t < count; ++t) numbers += tensors[t].n;
  parallel_for(numbers, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < count && end > 0; ++t) {
      const auto [param, grad, m, v, n] = tensors[t];
      const int64_t i = begin > 0 ? begin : 0, last = end < n ? end : n;
      if (i < last) step_tensor(adam, param + i, grad + i, m + i, v + i, last - i);
      begin -= n;
      end -= n;
    }
  });
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package_threads = table->parallel_for;
  table->adam_step = adam_step;
}
