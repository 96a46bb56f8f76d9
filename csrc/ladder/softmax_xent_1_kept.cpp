// Rung 1: the exponentials of the sum are kept and scaled, in float32. Before, each was worked out
// a second time, and both in double.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

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
    float max = -INFINITY, sum = 0;  // exp would overflow without the largest taken away
    for (int64_t j = 0; j < c; ++j) max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < c; ++j) sum += dx[j] = expf(x[j] - max);
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
