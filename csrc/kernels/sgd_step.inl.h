// Stochastic gradient descent with momentum, plain or Nesterov's, in one pass.
#include "tensor_list.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// grad (n,), learning_rate (1,) -> param, velocity (n,) of every tensor, in place
void sgd_step(const SgdTensor* tensors, int64_t count, const float* learning_rate, double momentum,
              double weight_decay, bool nesterov) {
  const Vec rate = broadcast(*learning_rate), keep = broadcast(float(momentum));
  const Vec decay = broadcast(float(weight_decay));
  // 20 bytes move for an element and six operations: memory is the limit.
  for_tensors(tensors, count, [=](const SgdTensor& tensor, int64_t i, int64_t n) {
    const Vec param = load_upto(tensor.param + i, n);
    const Vec g = fma(decay, param, load_upto(tensor.grad + i, n));
    Vec v = g;
    if (tensor.velocity) {
      v = fma(keep, load_upto(tensor.velocity + i, n), g);
      store_upto(tensor.velocity + i, v, n);
    }
    const Vec change = nesterov ? fma(keep, v, g) : v;
    store_upto(tensor.param + i, param - rate * change, n);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
