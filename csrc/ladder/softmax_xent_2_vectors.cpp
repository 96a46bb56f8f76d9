// Rung 2: an exp of our own, a polynomial, on a whole vector at once. Before, the C library's was
// called for one number at a time, and each addition waited for the one before.
#include <math.h>

#include "../kernels.h"
#include "vector.h"

namespace {

using namespace baregrad;

typedef int32_t Int __attribute__((vector_size(4 * kLanes)));

Vec power_of_2(Int k) { return reinterpret_cast<Vec>((k + 127) << 23); }

// x <= 0 -> exp(x) = 2^k exp(r), x = k ln 2 + r, |r| <= ln 2 / 2; within 1.05 ulp (isa/math.h)
Vec exp(Vec x) {
  x = x < -104.f ? Vec{} - 104.f : x;                 // 0 from there on; NaN stays
  const Vec shifted = x * 0x1.715476p0f + 0x1.8p23f;  // the sum leaves k in the low bits
  const Vec whole = shifted - 0x1.8p23f;
  const Vec r = (x - whole * 0x1.63p-1f) + whole * 0x1.bd0106p-13f;  // ln 2 in two parts
  Vec p = Vec{} + 0x1.6db47cp-10f;
  p = p * r + 0x1.123b94p-7f;
  p = p * r + 0x1.55545ep-5f;
  p = p * r + 0x1.55548ep-3f;
  p = p * r + 0.5f;
  const Int k = reinterpret_cast<Int>(shifted) - 0x4b400000, half = k >> 1;
  // 2^k in two factors, for k down to -150: a denormal result.
  return (1.f + (r * r * p + r)) * power_of_2(half) * power_of_2(k - half);
}

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c) {
  for (int64_t i = 0; i < n; ++i) {
    const float* x = logits + i * c;
    float* dx = dlogits + i * c;
    const int64_t label = labels[i];
    const float w = weight ? weight[i] : 1;
    if (label < 0 || label >= c) {
      if (i < *bad_row) *bad_row = i;
      loss[i] = NAN;
      for (int64_t j = 0; j < c; ++j) dx[j] = NAN;
      continue;
    }
    Vec largest = Vec{} - INFINITY, sums = {};
    for (int64_t j = 0; j < c; j += kLanes) {
      const Vec v = load_n(x + j, least(c - j, kLanes), -INFINITY);
      largest = v > largest ? v : largest;
    }
    float max = largest[0], sum = 0;  // exp would overflow without the largest taken away
    for (int l = 1; l < kLanes; ++l) max = largest[l] > max ? largest[l] : max;
    for (int64_t j = 0; j < c; j += kLanes) {
      const int64_t lanes = least(c - j, kLanes);
      const Vec e = exp(load_n(x + j, lanes, -INFINITY) - max);
      store_n(dx + j, e, lanes);
      sums += e;
    }
    for (int l = 0; l < kLanes; ++l) sum += sums[l];
    const float correct = dx[label] / sum, scale = w / sum;
    for (int64_t j = 0; j < c; ++j) dx[j] *= scale;
    dx[label] = w * (correct - 1);
    loss[i] = w * (logf(sum) - (x[label] - max));
  }
}

// saved (n, c), dloss (n,) -> dlogits (n, c)
void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits, int64_t n,
                           int64_t c) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < c; ++j) dlogits[i * c + j] = saved[i * c + j] * dloss[i];
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->softmax_xent_forward = softmax_xent_forward;
  table->softmax_xent_backward = softmax_xent_backward;
}
