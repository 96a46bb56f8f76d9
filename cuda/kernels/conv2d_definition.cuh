#pragma once
#include "window.cuh"

// Convolution by its definition, one thread per output: for images and windows whose places need 64
// bits, and where a weight is not finite, which the product would multiply with zeros that stand for
// windows that are not there.
namespace baregrad {
namespace {

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
__global__ void forward_kernel(const float* x, const float* weight, const float* bias, float* out,
                               Conv2dSize s) {
  const int64_t total = s.n * s.o * s.oh * s.ow, stride = int64_t(gridDim.x) * blockDim.x;
  const int64_t group_c = s.c / s.groups, group_o = s.o / s.groups;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t ox = q % s.ow, oy = q / s.ow % s.oh, o = q / (s.ow * s.oh) % s.o;
    const int64_t image = q / (s.ow * s.oh * s.o), first = o / group_o * group_c;
    const float* w = weight + o * group_c * s.kh * s.kw;
    float sum = 0.f;
    for (int64_t c = 0; c < group_c; ++c)
      for (int64_t i = 0; i < s.kh; ++i)
        for (int64_t j = 0; j < s.kw; ++j, ++w) {
          const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
          const int64_t z = ox * s.stride_w + j * s.dilation_w - s.pad_w;
          const bool inside = y >= 0 && y < s.h && z >= 0 && z < s.w;
          // Padding is multiplied too: 0 times an infinite weight is NaN.
          sum += *w * (inside ? x[((image * s.c + first + c) * s.h + y) * s.w + z] : 0.f);
        }
    out[q] = bias ? sum + bias[o] : sum;
  }
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w): a pixel gathers from the
// windows that it lies in
__global__ void backward_input_kernel(const float* dout, const float* weight, float* dx,
                                      Conv2dSize s, const int* unusual) {
  if (unusual && *unusual == 0) return;
  const int64_t total = s.n * s.c * s.h * s.w, stride = int64_t(gridDim.x) * blockDim.x;
  const int64_t group_c = s.c / s.groups, group_o = s.o / s.groups;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t x = q % s.w, y = q / s.w % s.h, c = q / (s.w * s.h) % s.c;
    const int64_t image = q / (s.w * s.h * s.c), first = c / group_c * group_o;
    float sum = 0.f;
    for (int64_t i = 0; i < s.kh; ++i) {
      const int64_t oy = window_of(y, i, s.oh, s.stride_h, s.pad_h, s.dilation_h);
      for (int64_t j = 0; oy >= 0 && j < s.kw; ++j) {
        const int64_t ox = window_of(x, j, s.ow, s.stride_w, s.pad_w, s.dilation_w);
        for (int64_t o = first; ox >= 0 && o < first + group_o; ++o)
          sum += weight[((o * group_c + c % group_c) * s.kh + i) * s.kw + j] *
                 dout[((image * s.o + o) * s.oh + oy) * s.ow + ox];
      }
    }
    dx[q] = sum;
  }
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
__global__ void backward_weight_kernel(const float* x, const float* dout, float* dweight,
                                       Conv2dSize s) {
  const int64_t group_c = s.c / s.groups, group_o = s.o / s.groups;
  const int64_t total = s.o * group_c * s.kh * s.kw, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t j = q % s.kw, i = q / s.kw % s.kh, o = q / (s.kw * s.kh * group_c);
    const int64_t c = q / (s.kw * s.kh) % group_c + o / group_o * group_c;
    float sum = 0.f;
    for (int64_t image = 0; image < s.n; ++image)
      for (int64_t oy = 0; oy < s.oh; ++oy) {
        const float* d = dout + ((image * s.o + o) * s.oh + oy) * s.ow;
        const int64_t y = oy * s.stride_h + i * s.dilation_h - s.pad_h;
        for (int64_t ox = 0; ox < s.ow; ++ox) {
          const int64_t z = ox * s.stride_w + j * s.dilation_w - s.pad_w;
          const bool inside = y >= 0 && y < s.h && z >= 0 && z < s.w;
          sum += d[ox] * (inside ? x[((image * s.c + c) * s.h + y) * s.w + z] : 0.f);
        }
      }
    dweight[q] = sum;
  }
}

}  // namespace
}  // namespace baregrad
