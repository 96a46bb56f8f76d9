// Elementwise ops of one argument: a struct of two formulas per kind, and one kernel for all.
#include "activations.cuh"
#include "fours.cuh"

namespace baregrad {
namespace {

namespace kinds {

struct leaky_relu {
  __device__ static float forward(float x, float alpha) { return x > 0.f ? x : alpha * x; }
  __device__ static float backward(float x, float dout, float alpha) {
    return x > 0.f ? dout : alpha * dout;
  }
};

struct elu {
  __device__ static float forward(float x, float alpha) { return x > 0.f ? x : alpha * expm1f(x); }
  __device__ static float backward(float x, float dout, float alpha) {
    return x > 0.f ? dout : alpha * expf(x) * dout;
  }
};

struct gelu {
  // P(normal < x) = erfc(-x / sqrt(2)) / 2 loses no digits below 0, as 1 + erf would.
  __device__ static float below(float x) { return 0.5f * erfcf(x * -0.70710678f); }
  // Far below 0 it underflows, and -infinity times 0 would be NaN.
  __device__ static float forward(float x, float) {
    x = x < -20.f ? -20.f : x;
    return x * below(x);
  }
  __device__ static float backward(float x, float dout, float) {
    x = fabsf(x) > 20.f ? copysignf(20.f, x) : x;
    const float density = 0.39894228f * expf(-0.5f * x * x);  // 1 / sqrt(2 pi)
    return (below(x) + x * density) * dout;
  }
};

struct silu {
  // As in gelu: sigmoid(-200) is 0.
  __device__ static float forward(float x, float) {
    x = x < -200.f ? -200.f : x;
    return x * sigmoid::of(x);
  }
  __device__ static float backward(float x, float dout, float) {
    x = fabsf(x) > 200.f ? copysignf(200.f, x) : x;
    return sigmoid::of(x) * (1.f + x * sigmoid::of(-x)) * dout;
  }
};

struct softplus {
  __device__ static float forward(float x, float) {
    return (x > 0.f ? x : 0.f) + log1pf(expf(-fabsf(x)));
  }
  __device__ static float backward(float x, float dout, float) { return sigmoid::of(x) * dout; }
};

struct exp {
  __device__ static float forward(float x, float) { return expf(x); }
  __device__ static float backward(float out, float dout, float) { return out * dout; }
};

struct log {
  __device__ static float forward(float x, float) { return logf(x); }
  __device__ static float backward(float x, float dout, float) { return dout / x; }
};

struct sqrt {
  __device__ static float forward(float x, float) { return sqrtf(x); }
  __device__ static float backward(float out, float dout, float) { return dout / (2.f * out); }
};

struct sign {
  // NaN is neither; -0 becomes +0.
  __device__ static float forward(float x, float) {
    return x > 0.f ? 1.f : x < 0.f ? -1.f : x == 0.f ? 0.f : x;
  }
  __device__ static float backward(float, float, float) { return 0.f; }
};

struct abs {
  __device__ static float forward(float x, float) { return fabsf(x); }
  __device__ static float backward(float x, float dout, float) {
    return sign::forward(x, 0.f) * dout;
  }
};

struct neg {
  __device__ static float forward(float x, float) { return -x; }
  __device__ static float backward(float, float dout, float) { return -dout; }
};

}  // namespace kinds

// x (n,) -> out (n,), which may be x
template <class Kind>
__global__ void unary_forward_kernel(const float* x, float* out, int64_t n, float alpha) {
  map(n, out, x, [=](float v) { return Kind::forward(v, alpha); });
}

// saved (n,), dout (n,) -> dx (n,), which may be either
template <class Kind>
__global__ void unary_backward_kernel(const float* saved, const float* dout, float* dx, int64_t n,
                                      float alpha) {
  map(n, dx, saved, dout, [=](float v, float up) { return Kind::backward(v, up, alpha); });
}

template <class Kind>
void forward(const float* x, float* out, int64_t n, float alpha, cudaStream_t stream) {
  if (n == 0) return;  // a grid of no blocks is an error
  const unsigned blocks = blocks_for_fours(n);
  unary_forward_kernel<Kind><<<blocks, kThreads, 0, stream>>>(x, out, n, alpha);
}

template <class Kind>
void backward(const float* saved, const float* dout, float* dx, int64_t n, float alpha,
              cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for_fours(n);
  unary_backward_kernel<Kind><<<blocks, kThreads, 0, stream>>>(saved, dout, dx, n, alpha);
}

}  // namespace

void unary_forward(UnaryKind kind, const float* x, float* out, int64_t n, float alpha,
                   cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return forward<kinds::kind>(x, out, n, alpha, stream);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

void unary_backward(UnaryKind kind, const float* saved, const float* dout, float* dx, int64_t n,
                    float alpha, cudaStream_t stream) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return backward<kinds::kind>(saved, dout, dx, n, alpha, stream);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace baregrad
