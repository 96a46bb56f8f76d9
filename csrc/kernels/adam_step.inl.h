// Adam (Kingma and Ba, 2015): both moments, both bias corrections and the step in one pass. AdamW
// (Loshchilov and Hutter, 2019) where the decay is decoupled.
#include "tensor_list.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// base^exponent by squaring, exact to a few ulp of double, with no call to libm.
inline double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) result *= base;
  return result;
}

struct Adam {
  Vec beta1, beta2, rest1, rest2, epsilon, rate, correction2;
  Vec decay;  // Decoupled: what is left of param, 1 - learning_rate weight_decay; else weight_decay

  // 28 bytes move for an element and about 15 operations: memory is the limit.
  template <bool Decoupled>
  void step(const AdamTensor& tensor, int64_t i, int64_t n) const {
    const Vec before = load_upto(tensor.param + i, n), grad = load_upto(tensor.grad + i, n);
    const Vec param = Decoupled ? before * decay : before;
    const Vec g = Decoupled ? grad : fma(decay, param, grad);
    const Vec m = fma(beta1, load_upto(tensor.m + i, n), rest1 * g);
    const Vec v = fma(beta2, load_upto(tensor.v + i, n), rest2 * g * g);
    store_upto(tensor.param + i, param - rate * m / (sqrt(v * correction2) + epsilon), n);
    store_upto(tensor.m + i, m, n);
    store_upto(tensor.v + i, v, n);
  }
};

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled) {
  const Adam adam = {
      .beta1 = broadcast(float(beta1)),
      .beta2 = broadcast(float(beta2)),
      .rest1 = broadcast(float(1 - beta1)),
      .rest2 = broadcast(float(1 - beta2)),
      .epsilon = broadcast(float(epsilon)),
      .rate = broadcast(float(*learning_rate / (1 - power(beta1, *step)))),
      .correction2 = broadcast(float(1 / (1 - power(beta2, *step)))),
      .decay = broadcast(float(decoupled ? 1 - *learning_rate * weight_decay : weight_decay)),
  };
  if (decoupled)
    for_tensors(tensors, count, [adam](const AdamTensor& tensor, int64_t i, int64_t n) {
      adam.step<true>(tensor, i, n);
    });
  else
    for_tensors(tensors, count, [adam](const AdamTensor& tensor, int64_t i, int64_t n) {
      adam.step<false>(tensor, i, n);
    });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
