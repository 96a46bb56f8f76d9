// Batch normalisation as in training (Ioffe and Szegedy, 2015): a block takes one channel, its
// threads striding over the pixels of all images.
#include "sums.cuh"

namespace baregrad {
namespace {

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,)
__global__ void batch_norm_forward_kernel(const float* x, const float* weight, const float* bias,
                                          float* out, float* mean, float* var, int64_t n, int64_t c,
                                          int64_t s, double epsilon) {
  __shared__ double sums[kWarps];
  const int64_t count = n * s;
  for (int64_t channel = blockIdx.x; channel < c; channel += gridDim.x) {
    const Channel here = {channel, c, s};
    RunningSum sum, squares;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) sum.add(x[here.place(i)]);
    const float m = float(block_sum(sum.get(), sums) / double(count));
    for (int64_t i = threadIdx.x; i < count; i += kThreads) {
      const float away = x[here.place(i)] - m;
      squares.add(away * away);
    }
    const double v = block_sum(squares.get(), sums) / double(count);
    if (threadIdx.x == 0) {
      mean[channel] = m;
      var[channel] = float(v);
    }
    const float factor = float(weight[channel] / sqrt(v + epsilon)), shift = bias[channel];
    for (int64_t i = threadIdx.x; i < count; i += kThreads) {
      const int64_t place = here.place(i);
      out[place] = (x[place] - m) * factor + shift;
    }
  }
}

// x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)
__global__ void batch_norm_backward_kernel(const float* x, const float* dout, const float* weight,
                                           const float* mean, const float* var, float* dx,
                                           float* dweight, float* dbias, int64_t n, int64_t c,
                                           int64_t s, double epsilon) {
  __shared__ double sums[kWarps];
  const int64_t count = n * s;
  for (int64_t channel = blockIdx.x; channel < c; channel += gridDim.x) {
    const Channel here = {channel, c, s};
    const double r = 1 / sqrt(var[channel] + epsilon);
    const float m = mean[channel];
    RunningSum douts, products;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) {
      const int64_t place = here.place(i);
      douts.add(dout[place]);
      products.add(dout[place] * (x[place] - m));
    }
    const double sum = block_sum(douts.get(), sums), product = r * block_sum(products.get(), sums);
    if (threadIdx.x == 0) {
      dbias[channel] = float(sum);
      dweight[channel] = float(product);
    }
    const float factor = float(weight[channel] * r), dout_mean = float(sum / double(count));
    const float slope = float(r * product / double(count));
    for (int64_t i = threadIdx.x; i < count; i += kThreads) {
      const int64_t place = here.place(i);
      dx[place] = factor * (dout[place] - dout_mean - (x[place] - m) * slope);
    }
  }
}

}  // namespace

void batch_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* var, int64_t n, int64_t c, int64_t s, double epsilon,
                        cudaStream_t stream) {
  if (c == 0) return;
  batch_norm_forward_kernel<<<blocks_for(c, 1), kThreads, 0, stream>>>(x, weight, bias, out, mean,
                                                                       var, n, c, s, epsilon);
}

void batch_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* var, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t c, int64_t s, double epsilon, cudaStream_t stream) {
  if (c == 0) return;
  batch_norm_backward_kernel<<<blocks_for(c, 1), kThreads, 0, stream>>>(
      x, dout, weight, mean, var, dx, dweight, dbias, n, c, s, epsilon);
}

}  // namespace baregrad
