// Cross-entropy of softmax(logits), loss and gradient in one pass over a row.

namespace baregrad::BAREGRAD_ISA {
namespace {

// Logits that one thread takes at a time: 16 Ki exponentials are about 10 us.
constexpr int64_t kSoftmaxGrain = 1 << 14;

struct SoftmaxRow {
  float max, sum;  // of the logits, of exp(logits - max)
};

// x (c,) -> e (c,) = exp(x - max x), max, sum
inline SoftmaxRow exponentials(const float* x, float* e, int64_t c) {
  const int64_t whole = c / kLanes * kLanes, tail = c - whole;
  // After the largest is taken away exp is at most 1: it cannot overflow.
  Vec largest = load_n(x + whole, tail, -__builtin_inff());
  for (int64_t j = 0; j < whole; j += kLanes) largest = max(load(x + j), largest);
  const float row_max = max_lanes(largest);

  Vec sum = {};
  for (int64_t j = 0; j < whole; j += kLanes) {
    const Vec v = exp(load(x + j) - row_max);
    store(e + j, v);
    sum += v;
  }
  // exp(-inf - row_max) is 0, which adds nothing; it is NaN where the whole row has to be.
  const Vec v = exp(load_n(x + whole, tail, -__builtin_inff()) - row_max);
  store_n(e + whole, v, tail);
  return {row_max, sum_lanes(sum + v)};
}

// out (c,) = x (c,) * factor. out may be x.
inline void scale(const float* x, float factor, float* out, int64_t c) {
  int64_t j = 0;
  for (; j + kLanes <= c; j += kLanes) store(out + j, load(x + j) * factor);
  store_n(out + j, load_n(x + j, c - j, 0.f) * factor, c - j);
}

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c) {
  const int64_t rows = c < kSoftmaxGrain ? kSoftmaxGrain / (c + 1) + 1 : 1;
  parallel_for(n, rows, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = logits + i * c;
      float* dx = dlogits + i * c;
      const int64_t label = labels[i];
      const float w = weight ? weight[i] : 1.f;
      if (label < 0 || label >= c) {
        keep_smallest(bad_row, i);
        loss[i] = __builtin_nanf("");
        for (int64_t j = 0; j < c; ++j) dx[j] = loss[i];
        continue;
      }
      const SoftmaxRow row = exponentials(x, dx, c);
      // log(sum) - (x - max), never log(softmax), which underflows for a confidently wrong row.
      loss[i] = w * (log(broadcast(row.sum))[0] - (x[label] - row.max));
      const float correct = dx[label] / row.sum;
      scale(dx, w / row.sum, dx, c);
      dx[label] = w * (correct - 1.f);
    }
  });
}

// saved (n, c), dloss (n,) -> dlogits (n, c)
void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits, int64_t n,
                           int64_t c) {
  const int64_t rows = kElementwiseGrain / (c + 1) + 1;
  parallel_for(n, rows, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) scale(saved + i * c, dloss[i], dlogits + i * c, c);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
