#pragma once
#include <cuda_runtime.h>

// The kinds of unary that bias_activation has too.
namespace baregrad {
namespace {
namespace kinds {

struct relu {
  // NaN is not <= 0, so it stays; -0 is, and becomes +0.
  __device__ static float forward(float x, float) { return x <= 0.f ? 0.f : x; }
  __device__ static float backward(float out, float dout, float) { return out <= 0.f ? 0.f : dout; }
};

struct sigmoid {
  __device__ static float of(float x) {  // exp(-x) would overflow
    const float e = expf(-fabsf(x));
    return (x >= 0.f ? 1.f : e) / (1.f + e);
  }
  __device__ static float forward(float x, float) { return of(x); }
  __device__ static float backward(float out, float dout, float) {
    return out * (1.f - out) * dout;
  }
};

struct tanh {
  __device__ static float forward(float x, float) { return tanhf(x); }
  __device__ static float backward(float out, float dout, float) {
    return (1.f - out) * (1.f + out) * dout;
  }
};

}  // namespace kinds
}  // namespace
}  // namespace baregrad
