// Batch normalisation as in training (Ioffe and Szegedy, 2015): a block takes one channel, its threads
// striding over the pixels of all images. Where images have one pixel it takes 8 channels, which are as
// many neighbours as global memory moves at a time, and its threads stride over the images.
#include "sums.cuh"

namespace baregrad {
namespace {

constexpr int kNeighbours = 8;

// The share of a thread in the elements of one channel of (n, c, s), and in their sums.
class Share {
 public:
  __device__ Share(int64_t first, int channels, int64_t n, int64_t c, int64_t s, double* sums)
      : here_{first + threadIdx.x % channels, c, s},
        channels_(channels),
        count_(n * s),
        sums_(sums) {}

  __device__ int64_t channel() const { return min(here_.channel, here_.c - 1); }
  __device__ bool writes() const { return here_.channel < here_.c && int(threadIdx.x) < channels_; }
  // Calls visit(place) for each of them.
  template <class Visit>
  __device__ void for_each(Visit visit) const {
    if (here_.channel >= here_.c) return;
#pragma unroll 2  // more is longer
    for (int64_t i = threadIdx.x / channels_; i < count_; i += kThreads / channels_)
      visit(here_.place(i));
  }
  // The sum over all who have this channel.
  __device__ double sum(const RunningSum& own) const {
    return block_sum(own.get(), sums_, channels_);
  }

 private:
  Channel here_;
  int channels_;  // of the block
  int64_t count_;
  double* sums_;
};

// x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,)
__global__ void batch_norm_forward_kernel(const float* x, const float* weight, const float* bias,
                                          float* out, float* mean, float* var, int64_t n, int64_t c,
                                          int64_t s, double epsilon) {
  __shared__ double sums[kWarps * kNeighbours];
  const double count = double(n * s);
  const int channels = s == 1 ? kNeighbours : 1;
  for (int64_t first = int64_t(blockIdx.x) * channels; first < c; first += gridDim.x * channels) {
    const Share share(first, channels, n, c, s, sums);
    const int64_t channel = share.channel();
    RunningSum sum, squares;
    share.for_each([&](int64_t place) { sum.add(x[place]); });
    const float m = float(share.sum(sum) / count);
    share.for_each([&](int64_t place) { squares.add((x[place] - m) * (x[place] - m)); });
    const double v = share.sum(squares) / count;
    if (share.writes()) mean[channel] = m, var[channel] = float(v);
    const float factor = float(weight[channel] / sqrt(v + epsilon)), shift = bias[channel];
    share.for_each([&](int64_t place) { out[place] = (x[place] - m) * factor + shift; });
  }
}

// x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)
__global__ void batch_norm_backward_kernel(const float* x, const float* dout, const float* weight,
                                           const float* mean, const float* var, float* dx,
                                           float* dweight, float* dbias, int64_t n, int64_t c,
                                           int64_t s, double epsilon) {
  __shared__ double sums[kWarps * kNeighbours];
  const double count = double(n * s);
  const int channels = s == 1 ? kNeighbours : 1;
  for (int64_t first = int64_t(blockIdx.x) * channels; first < c; first += gridDim.x * channels) {
    const Share share(first, channels, n, c, s, sums);
    const int64_t channel = share.channel();
    const double r = 1 / sqrt(var[channel] + epsilon);
    const float m = mean[channel];
    RunningSum douts, products;
    share.for_each([&](int64_t place) {
      douts.add(dout[place]);
      products.add(dout[place] * (x[place] - m));
    });
    const double sum = share.sum(douts), product = r * share.sum(products);
    if (share.writes()) dbias[channel] = float(sum), dweight[channel] = float(product);
    const float factor = float(weight[channel] * r), dout_mean = float(sum / count);
    const float slope = float(r * product / count);
    share.for_each([&](int64_t place) {
      dx[place] = factor * (dout[place] - dout_mean - (x[place] - m) * slope);
    });
  }
}

}  // namespace

void batch_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* var, int64_t n, int64_t c, int64_t s, double epsilon,
                        cudaStream_t stream) {
  if (c == 0) return;
  batch_norm_forward_kernel<<<blocks_for(c, s == 1 ? kNeighbours : 1), kThreads, 0, stream>>>(
      x, weight, bias, out, mean, var, n, c, s, epsilon);
}

void batch_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* var, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t c, int64_t s, double epsilon, cudaStream_t stream) {
  if (c == 0) return;
  batch_norm_backward_kernel<<<blocks_for(c, s == 1 ? kNeighbours : 1), kThreads, 0, stream>>>(
      x, dout, weight, mean, var, dx, dweight, dbias, n, c, s, epsilon);
}

}  // namespace baregrad
