// The mean of every window: both directions gather, one thread per output.
#include "window.cuh"

namespace baregrad {
namespace {

// x (planes, h, w) -> out (planes, oh, ow)
__global__ void avgpool2d_forward_kernel(const float* x, float* out, Pool2dSize s) {
  const int64_t total = s.planes * s.oh * s.ow, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t plane = q / (s.oh * s.ow);
    const int64_t top = q / s.ow % s.oh * s.stride_h - s.pad_h;
    const int64_t left = q % s.ow * s.stride_w - s.pad_w;
    float sum = 0.f;
    for (int64_t y = max(top, int64_t(0)); y < min(top + s.kh, s.h); ++y)
      for (int64_t z = max(left, int64_t(0)); z < min(left + s.kw, s.w); ++z)
        sum += x[(plane * s.h + y) * s.w + z];
    out[q] = sum / float(s.kh * s.kw);
  }
}

// dout (planes, oh, ow) -> dx (planes, h, w)
__global__ void avgpool2d_backward_kernel(const float* dout, float* dx, Pool2dSize s) {
  const int64_t total = s.planes * s.h * s.w, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t plane = q / (s.h * s.w), y = q / s.w % s.h, z = q % s.w;
    float sum = 0.f;
    for (int64_t i = 0; i < s.kh; ++i) {
      const int64_t oy = window_of(y, i, s.oh, s.stride_h, s.pad_h, 1);
      for (int64_t j = 0; oy >= 0 && j < s.kw; ++j) {
        const int64_t ox = window_of(z, j, s.ow, s.stride_w, s.pad_w, 1);
        if (ox >= 0) sum += dout[(plane * s.oh + oy) * s.ow + ox] / float(s.kh * s.kw);
      }
    }
    dx[q] = sum;
  }
}

}  // namespace

void avgpool2d_forward(const float* x, float* out, Pool2dSize size, cudaStream_t stream) {
  const int64_t n = size.planes * size.oh * size.ow;
  if (n == 0) return;  // a grid of no blocks is an error
  avgpool2d_forward_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(x, out, size);
}

void avgpool2d_backward(const float* dout, float* dx, Pool2dSize size, cudaStream_t stream) {
  const int64_t n = size.planes * size.h * size.w;
  if (n == 0) return;
  avgpool2d_backward_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(dout, dx, size);
}

}  // namespace baregrad
