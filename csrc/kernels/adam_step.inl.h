// Adam (Kingma and Ba, 2015): both moments, both bias corrections and the step in one pass.

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
  Vec beta1, beta2, rest1, rest2, decay, epsilon, rate, correction2;

  // 28 bytes move for an element and about 15 operations: memory is the limit.
  void step(Vec grad, Vec& param, Vec& m, Vec& v) const {
    const Vec g = fma(decay, param, grad);
    m = fma(beta1, m, rest1 * g);
    v = fma(beta2, v, rest2 * g * g);
    param = param - rate * m / (sqrt(v * correction2) + epsilon);
  }
};

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,), in place
void adam_step(float* param, const float* grad, float* m, float* v, int64_t n,
               const float* learning_rate, const int64_t* step, double beta1, double beta2,
               double epsilon, double weight_decay) {
  const Adam adam = {
      .beta1 = broadcast(float(beta1)),
      .beta2 = broadcast(float(beta2)),
      .rest1 = broadcast(float(1 - beta1)),
      .rest2 = broadcast(float(1 - beta2)),
      .decay = broadcast(float(weight_decay)),
      .epsilon = broadcast(float(epsilon)),
      .rate = broadcast(float(*learning_rate / (1 - power(beta1, *step)))),
      .correction2 = broadcast(float(1 / (1 - power(beta2, *step)))),
  };
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      Vec p = load(param + i), mi = load(m + i), vi = load(v + i);
      adam.step(load(grad + i), p, mi, vi);
      store(param + i, p);
      store(m + i, mi);
      store(v + i, vi);
    }
    const int64_t tail = end - i;
    Vec p = load_n(param + i, tail, 0.f), mi = load_n(m + i, tail, 0.f);
    Vec vi = load_n(v + i, tail, 0.f);
    adam.step(load_n(grad + i, tail, 0.f), p, mi, vi);
    store_n(param + i, p, tail);
    store_n(m + i, mi, tail);
    store_n(v + i, vi, tail);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
