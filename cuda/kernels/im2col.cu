// The matrix of windows in memory, and back: both gather, one thread per element of what they make.
#include "window.cuh"

namespace baregrad {
namespace {

// x (n, c, h, w) -> columns (n, c kh kw, oh ow)
__global__ void im2col_kernel(const float* x, float* columns, Conv2dSize s) {
  const int64_t cells = s.kh * s.kw, pixels = s.oh * s.ow;
  const int64_t total = s.n * s.c * cells * pixels, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t cell = q / pixels % cells, plane = q / pixels / cells;
    const int64_t y = q % pixels / s.ow * s.stride_h + cell / s.kw * s.dilation_h - s.pad_h;
    const int64_t z = q % s.ow * s.stride_w + cell % s.kw * s.dilation_w - s.pad_w;
    const bool inside = y >= 0 && y < s.h && z >= 0 && z < s.w;
    columns[q] = inside ? x[(plane * s.h + y) * s.w + z] : 0.f;
  }
}

// columns (n, c kh kw, oh ow) -> x (n, c, h, w)
__global__ void col2im_kernel(const float* columns, float* x, Conv2dSize s) {
  const int64_t total = s.n * s.c * s.h * s.w, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t plane = q / (s.h * s.w), y = q / s.w % s.h, z = q % s.w;
    float sum = 0.f;
    for (int64_t i = 0; i < s.kh; ++i) {
      const int64_t oy = window_of(y, i, s.oh, s.stride_h, s.pad_h, s.dilation_h);
      for (int64_t j = 0; oy >= 0 && j < s.kw; ++j) {
        const int64_t ox = window_of(z, j, s.ow, s.stride_w, s.pad_w, s.dilation_w);
        if (ox >= 0) sum += columns[(((plane * s.kh + i) * s.kw + j) * s.oh + oy) * s.ow + ox];
      }
    }
    x[q] = sum;
  }
}

}  // namespace

void im2col(const float* x, float* columns, Conv2dSize size, cudaStream_t stream) {
  const int64_t n = size.n * size.c * size.kh * size.kw * size.oh * size.ow;
  if (n == 0) return;  // a grid of no blocks is an error
  im2col_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(x, columns, size);
}

void col2im(const float* columns, float* x, Conv2dSize size, cudaStream_t stream) {
  const int64_t n = size.n * size.c * size.h * size.w;
  if (n == 0) return;
  col2im_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(columns, x, size);
}

}  // namespace baregrad
