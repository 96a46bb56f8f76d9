// Layer normalisation (Ba, Kiros and Hinton, 2016): one warp per row, its lanes striding over the
// features; what sums over the rows is a kernel of its own, whose warps go down the columns.
#include "sums.cuh"

namespace baregrad {
namespace {

constexpr int kRows = 4;  // warps, and so rows, of a block

// x (n, d), weight, bias (d,) -> out (n, d), mean, r (n,)
__global__ void layer_norm_forward_kernel(const float* x, const float* weight, const float* bias,
                                          float* out, float* mean, float* r, int64_t n, int64_t d,
                                          double epsilon) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  // A row is a whole warp's, so the shuffles below stay full.
  for (; row < n; row += int64_t(gridDim.x) * kRows) {
    const float* from = x + row * d;
    float* to = out + row * d;
    RunningSum sum, squares;
    for (int64_t j = lane; j < d; j += kWarp) sum.add(from[j]);
    const float m = float(warp_reduce(sum.get(), Sum()) / double(d));
    for (int64_t j = lane; j < d; j += kWarp) squares.add((from[j] - m) * (from[j] - m));
    const double var = warp_reduce(squares.get(), Sum()) / double(d);
    const float inverse = float(1 / sqrt(var + epsilon));
    if (lane == 0) {
      mean[row] = m;
      r[row] = inverse;
    }
    for (int64_t j = lane; j < d; j += kWarp) to[j] = (from[j] - m) * inverse * weight[j] + bias[j];
  }
}

// x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d)
__global__ void layer_norm_backward_kernel(const float* x, const float* dout, const float* weight,
                                           const float* mean, const float* r, float* dx, int64_t n,
                                           int64_t d) {
  const int lane = threadIdx.x % kWarp;
  int64_t row = int64_t(blockIdx.x) * kRows + threadIdx.x / kWarp;
  for (; row < n; row += int64_t(gridDim.x) * kRows) {
    const float *from = x + row * d, *dy = dout + row * d;
    float* to = dx + row * d;
    const float m = mean[row], inverse = r[row];
    RunningSum g_sum, product_sum;
    for (int64_t j = lane; j < d; j += kWarp) {
      const float g = weight[j] * dy[j];
      g_sum.add(g);
      product_sum.add(g * (from[j] - m));
    }
    const float g_mean = float(warp_reduce(g_sum.get(), Sum()) / double(d));
    const float slope = float(warp_reduce(product_sum.get(), Sum()) * inverse / double(d));
    for (int64_t j = lane; j < d; j += kWarp)
      to[j] = inverse * (weight[j] * dy[j] - g_mean - (from[j] - m) * inverse * slope);
  }
}

// x, dout (n, d), mean, r (n,) -> dweight, dbias (d,), a block for kWarp columns
__global__ void layer_norm_backward_weight_kernel(const float* x, const float* dout,
                                                  const float* mean, const float* r, float* dweight,
                                                  float* dbias, int64_t n, int64_t d) {
  __shared__ double weight_sums[kWarps][kWarp], bias_sums[kWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int64_t first = int64_t(blockIdx.x) * kWarp; first < d;
       first += int64_t(gridDim.x) * kWarp) {
    const int64_t j = first + lane;
    RunningSum weight_sum, bias_sum;
    for (int64_t i = warp; i < n && j < d; i += kWarps) {
      const float up = dout[i * d + j];
      weight_sum.add(up * ((x[i * d + j] - mean[i]) * r[i]));
      bias_sum.add(up);
    }
    weight_sums[warp][lane] = weight_sum.get();
    bias_sums[warp][lane] = bias_sum.get();
    __syncthreads();
    double weight_total = 0, bias_total = 0;
    for (int w = 0; w < kWarps; ++w) {
      weight_total += weight_sums[w][lane];
      bias_total += bias_sums[w][lane];
    }
    if (warp == 0 && j < d) {
      dweight[j] = float(weight_total);
      dbias[j] = float(bias_total);
    }
    __syncthreads();  // the next columns' sums overwrite these
  }
}

}  // namespace

void layer_norm_forward(const float* x, const float* weight, const float* bias, float* out,
                        float* mean, float* r, int64_t n, int64_t d, double epsilon,
                        cudaStream_t stream) {
  if (n == 0) return;
  layer_norm_forward_kernel<<<blocks_for(n, kRows), kRows * kWarp, 0, stream>>>(
      x, weight, bias, out, mean, r, n, d, epsilon);
}

int64_t layer_norm_backward_workspace(int64_t, int64_t) { return 0; }

void layer_norm_backward(const float* x, const float* dout, const float* weight, const float* mean,
                         const float* r, float* dx, float* dweight, float* dbias, int64_t n,
                         int64_t d, void*, cudaStream_t stream) {
  if (d == 0) return;
  if (n > 0)
    layer_norm_backward_kernel<<<blocks_for(n, kRows), kRows * kWarp, 0, stream>>>(
        x, dout, weight, mean, r, dx, n, d);
  layer_norm_backward_weight_kernel<<<blocks_for(d, kWarp), kThreads, 0, stream>>>(
      x, dout, mean, r, dweight, dbias, n, d);
}

}  // namespace baregrad
