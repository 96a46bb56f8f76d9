// Rung 3: threads share the rows. The smallest bad row is the one word that they all may write.
#include <math.h>

#include "../kernels.h"
#include "threads.h"
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

// *place = value if that is less, from any thread.
void keep_smallest(int64_t* place, int64_t value) {
  int64_t seen = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(place, &seen, value, true, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
  }
}

// Numbers for which a thread is worth waking: they take it about 10 us.
constexpr int64_t kGrain = 1 << 14;

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c) {
  parallel_for(n, kGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = logits + i * c;
      float* dx = dlogits + i * c;
      const int64_t label = labels[i];
      const float w = weight ? weight[i] : 1;
      if (label < 0 || label >= c) {
        keep_smallest(bad_row, i);
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
  });
}

// saved (n, c), dloss (n,) -> dlogits (n, c)
void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits, int64_t n,
                           int64_t c) {
  parallel_for(n, kGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < c; ++j) dlogits[i * c + j] = saved[i * c + j] * dloss[i];
  });
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package_threads = table->parallel_for;
  table->softmax_xent_forward = softmax_xent_forward;
  table->softmax_xent_backward = softmax_xent_backward;
}
