// Softmax and its logarithm over the rows of a matrix.
#include "rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// x (n, c) -> out (n, c) = exp(x) / sum exp(x)
void softmax_forward(const float* x, float* out, int64_t n, int64_t c) {
  parallel_for(n, kSoftmaxGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for_exponentials(x, out, begin, end, c, [=](int64_t i, SoftmaxRow row) {
      scale(out + i * c, 1.f / row.sum, out + i * c, c);
    });
  });
}

// saved (n, c), dout (n, c) -> dx (n, c) = saved (dout - sum saved dout)
void softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c) {
  parallel_for(n, kElementwiseGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float *s = saved + i * c, *d = dout + i * c;
      float* dx_row = dx + i * c;
      Totals<Plus, 1> products;
      products.add(
          c, [=](auto lanes, int64_t j, Vec* t) { t[0] = lanes.read(s + j) * lanes.read(d + j); });
      const float sum = float(products.get(0));
      for_vectors(c, [=](auto lanes, int64_t j) {
        lanes.write(dx_row + j, lanes.read(s + j) * (lanes.read(d + j) - sum));
      });
    }
  });
}

// x (n, c) -> out (n, c) = x - log sum exp(x)
void log_softmax_forward(const float* x, float* out, int64_t n, int64_t c) {
  parallel_for(n, kSoftmaxGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for_exponentials(x, nullptr, begin, end, c, [=](int64_t i, SoftmaxRow found) {
      const float* x_row = x + i * c;
      float* row = out + i * c;
      const float log_sum = log(broadcast(found.sum))[0];
      // x - (max + log sum) would round away log sum where the largest is large.
      for_vectors(c, [=](auto lanes, int64_t j) {
        lanes.write(row + j, lanes.read(x_row + j) - found.max - log_sum);
      });
    });
  });
}

// saved (n, c), dout (n, c) -> dx (n, c) = dout - exp(saved) sum dout
void log_softmax_backward(const float* saved, const float* dout, float* dx, int64_t n, int64_t c) {
  parallel_for(n, kSoftmaxGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float *s = saved + i * c, *d = dout + i * c;
      float* dx_row = dx + i * c;
      Totals<Plus, 1> douts;
      douts.add(c, [=](auto lanes, int64_t j, Vec* t) { t[0] = lanes.read(d + j); });
      const Vec sum = broadcast(float(douts.get(0)));
      for_vectors(c, [=](auto lanes, int64_t j) {
        lanes.write(dx_row + j, lanes.read(d + j) - exp(lanes.read(s + j)) * sum);
      });
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
