// Cross-entropy of softmax(logits), loss and gradient in one pass over a row.
#include "rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)
void softmax_xent_forward(const float* logits, const int64_t* labels, const float* weight,
                          float* loss, float* dlogits, int64_t* bad_row, int64_t n, int64_t c) {
  parallel_for(n, kSoftmaxGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for_exponentials(logits, dlogits, begin, end, c, [=](int64_t i, SoftmaxRow row) {
      float* dx = dlogits + i * c;
      const int64_t label = labels[i];
      const float w = weight ? weight[i] : 1.f;
      if (label < 0 || label >= c) {
        keep_smallest(bad_row, i);
        loss[i] = __builtin_nanf("");
        for (int64_t j = 0; j < c; ++j) dx[j] = loss[i];
        return;
      }
      // log(sum) - (x - max), never log(softmax), which underflows for a confidently wrong row.
      loss[i] = w * (log(broadcast(row.sum))[0] - (logits[i * c + label] - row.max));
      const float correct = dx[label] / row.sum;
      scale(dx, w / row.sum, dx, c);
      dx[label] = w * (correct - 1.f);
    });
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
