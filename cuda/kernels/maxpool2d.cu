// The largest of every window: both directions gather, one thread per output.
#include <math_constants.h>

#include "window.cuh"

namespace baregrad {
namespace {

// x (planes, h, w) -> out (planes, oh, ow), places (planes, oh, ow)
__global__ void maxpool2d_forward_kernel(const float* x, float* out, uint8_t* places,
                                         Pool2dSize s) {
  const int64_t total = s.planes * s.oh * s.ow, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t plane = q / (s.oh * s.ow);
    const int64_t top = q / s.ow % s.oh * s.stride_h - s.pad_h;
    const int64_t left = q % s.ow * s.stride_w - s.pad_w;
    float largest = -CUDART_INF_F;
    int64_t place = -1;
    for (int64_t y = max(top, int64_t(0)); y < min(top + s.kh, s.h); ++y)
      for (int64_t z = max(left, int64_t(0)); z < min(left + s.kw, s.w); ++z) {
        const float v = x[(plane * s.h + y) * s.w + z];
        // Strictly larger, or the first NaN: so the first of equals stays.
        if (place < 0 || v > largest || (v != v && largest == largest)) {
          largest = v;
          place = (y - top) * s.kw + z - left;
        }
      }
    out[q] = largest;
    places[q] = uint8_t(place < 0 ? 0 : place);  // a window of padding alone
  }
}

// places (planes, oh, ow), dout (planes, oh, ow) -> dx (planes, h, w)
__global__ void maxpool2d_backward_kernel(const uint8_t* places, const float* dout, float* dx,
                                          Pool2dSize s) {
  const int64_t total = s.planes * s.h * s.w, stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < total; q += stride) {
    const int64_t plane = q / (s.h * s.w), y = q / s.w % s.h, z = q % s.w;
    float sum = 0.f;
    // From the last cell: so windows come in their own order, as on the CPU.
    for (int64_t i = s.kh - 1; i >= 0; --i) {
      const int64_t oy = window_of(y, i, s.oh, s.stride_h, s.pad_h, 1);
      for (int64_t j = s.kw - 1; oy >= 0 && j >= 0; --j) {
        const int64_t ox = window_of(z, j, s.ow, s.stride_w, s.pad_w, 1);
        if (ox < 0) continue;
        const int64_t window = (plane * s.oh + oy) * s.ow + ox;
        if (places[window] == i * s.kw + j) sum += dout[window];
      }
    }
    dx[q] = sum;
  }
}

}  // namespace

void maxpool2d_forward(const float* x, float* out, uint8_t* places, Pool2dSize size,
                       cudaStream_t stream) {
  const int64_t n = size.planes * size.oh * size.ow;
  if (n == 0) return;  // a grid of no blocks is an error
  maxpool2d_forward_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(x, out, places, size);
}

void maxpool2d_backward(const uint8_t* places, const float* dout, float* dx, Pool2dSize size,
                        cudaStream_t stream) {
  const int64_t n = size.planes * size.h * size.w;
  if (n == 0) return;
  maxpool2d_backward_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(places, dout, dx,
                                                                              size);
}

}  // namespace baregrad
