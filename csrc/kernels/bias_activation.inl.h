// Bias and activation in one pass over what a product left, and both gradients in one pass back.
#include "rows.inl.h"
#include "unary.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// x (n, c, s), bias (c,) -> out (n, c, s) = f(x + bias)
template <class Kind>
void bias_activation_forward_of(const float* x, const float* bias, float* out, int64_t n, int64_t c,
                                int64_t s) {
  if (s == 1)  // rows of c numbers, each with its own bias
    return parallel_for(n, kElementwiseGrain / (c + 1) + 1, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for_vectors(c, [=](auto lanes, int64_t j) {
          const Vec v = lanes.read(x + i * c + j) + lanes.read(bias + j);
          lanes.write(out + i * c + j, Kind::forward(v));
        });
    });
  parallel_for(n * c, kElementwiseGrain / (s + 1) + 1, [=](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const float b = bias[plane % c];
      for_vectors(s, [=](auto lanes, int64_t j) {
        lanes.write(out + plane * s + j, Kind::forward(lanes.read(x + plane * s + j) + b));
      });
    }
  });
}

// Sums that are kept where channels are summed by blocks of images, and the fewest blocks.
constexpr int64_t kMostSums = 1 << 13, kLeastBlocks = 16;

// saved, dout (n, c, s) -> dx (n, c, s), dbias (c,)
//
// By blocks of images, if their sums fit: so go the ops around this one, and a thread reads what it
// wrote. Else by channels.
template <class Kind>
void bias_activation_backward_of(const float* saved, const float* dout, float* dx, float* dbias,
                                 int64_t n, int64_t c, int64_t s) {
  const auto back = [=](auto lanes, int64_t at, Vec* t) {
    t[0] = Kind::backward(lanes.read(saved + at), lanes.read(dout + at));
    lanes.write(dx + at, t[0]);
  };
  if (s == 1)
    return for_columns(n, c, [=](int64_t column, int64_t columns) {
      double total[1][kColumns];
      fold_columns<Plus>(
          n, columns, total, [=](int64_t i) { return i * c + column; },
          [=](auto lanes, int64_t row, int64_t j, Vec* t) { back(lanes, row + j, t); });
      for (int64_t j = 0; j < columns; ++j) dbias[column + j] = float(total[0][j]);
    });
  const auto back_images = [=](int64_t begin, int64_t end, int64_t k) {
    Totals<Plus, 1> total;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t plane = (i * c + k) * s;
      total.add(s, [=](auto lanes, int64_t j, Vec* t) { back(lanes, plane + j, t); });
    }
    return total.get(0);
  };
  const int64_t blocks = least(n, kMostSums / (c + 1));
  if (blocks < kLeastBlocks)
    return parallel_for(c, kElementwiseGrain / (n * s + 1) + 1, [=](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) dbias[k] = float(back_images(0, n, k));
    });
  double sums[kMostSums];  // of a block and a channel
  parallel_for(blocks, kElementwiseGrain / (n / blocks * c * s + 1) + 1,
               [=, &sums](int64_t begin, int64_t end) {
                 for (int64_t b = begin; b < end; ++b)
                   for (int64_t k = 0; k < c; ++k)
                     sums[b * c + k] =
                         back_images(part_begin(n, b, blocks), part_begin(n, b + 1, blocks), k);
               });
  for (int64_t k = 0; k < c; ++k) {
    double total = 0;
    for (int64_t b = 0; b < blocks; ++b) total += sums[b * c + k];
    dbias[k] = float(total);
  }
}

void bias_activation_forward(UnaryKind kind, const float* x, const float* bias, float* out,
                             int64_t n, int64_t c, int64_t s) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return bias_activation_forward_of<kinds::kind>(x, bias, out, n, c, s);
    BAREGRAD_ACTIVATION(BAREGRAD_CASE)
#undef BAREGRAD_CASE
    default:
      return;
  }
}

void bias_activation_backward(UnaryKind kind, const float* saved, const float* dout, float* dx,
                              float* dbias, int64_t n, int64_t c, int64_t s) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return bias_activation_backward_of<kinds::kind>(saved, dout, dx, dbias, n, c, s);
    BAREGRAD_ACTIVATION(BAREGRAD_CASE)
#undef BAREGRAD_CASE
    default:
      return;
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
