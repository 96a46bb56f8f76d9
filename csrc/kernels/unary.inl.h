#pragma once
// Elementwise ops of one argument: a struct of two formulas per kind, and one loop for all.
#include "rows.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

namespace kinds {

struct relu {
  // NaN is not <= 0, so it stays; -0 is, and becomes +0.
  static Vec forward(Vec x, float = 0) { return x <= 0.f ? Vec{} : x; }
  static Vec backward(Vec out, Vec dout, float = 0) { return out <= 0.f ? Vec{} : dout; }
};

struct leaky_relu {
  static Vec forward(Vec x, float alpha) { return x > 0.f ? x : alpha * x; }
  static Vec backward(Vec x, Vec dout, float alpha) { return x > 0.f ? dout : alpha * dout; }
};

struct elu {
  static Vec forward(Vec x, float alpha) {
    return x > 0.f ? x : alpha * BAREGRAD_ISA::expm1(x > 0.f ? Vec{} : x);
  }
  static Vec backward(Vec x, Vec dout, float alpha) {
    return x > 0.f ? dout : alpha * BAREGRAD_ISA::exp(x) * dout;
  }
};

// x P(normal < x) = max(x, 0) - |x| P(normal > |x|)
struct gelu {
  // Beyond, the probability is less than the least float.
  static Vec upto(Vec size) { return min(broadcast(14.4f), size); }

  static Vec forward(Vec x, float = 0) {
    const Vec size = upto(BAREGRAD_ISA::abs(x));
    return max(Vec{}, x) - size * normal(size).beyond;
  }
  static Vec backward(Vec x, Vec dout, float = 0) {
    const Vec size = upto(BAREGRAD_ISA::abs(x));
    const auto [beyond, density] = normal(size);
    const Vec below = x > 0.f ? 1.f - beyond : beyond;
    return fma(copy_sign(size, x), density, below) * dout;
  }
};

struct silu {
  // As in gelu: sigmoid(-200) is 0.
  static Vec forward(Vec x, float = 0) {
    x = max(broadcast(-200.f), x);
    return x * BAREGRAD_ISA::sigmoid(x);
  }
  static Vec backward(Vec x, Vec dout, float = 0) {
    x = BAREGRAD_ISA::abs(x) > 200.f ? copy_sign(broadcast(200.f), x) : x;
    const Vec rest = x * BAREGRAD_ISA::sigmoid(-x);
    return BAREGRAD_ISA::sigmoid(x) * (1.f + rest) * dout;
  }
};

struct sigmoid {
  static Vec forward(Vec x, float = 0) { return BAREGRAD_ISA::sigmoid(x); }
  static Vec backward(Vec out, Vec dout, float = 0) { return out * (1.f - out) * dout; }
};

struct tanh {
  // Small x: x + x^3 P(x^2), minimax; 1 - 2 / (exp(2x) + 1) would cancel there.
  static Vec forward(Vec x, float = 0) {
    const Vec size = BAREGRAD_ISA::abs(x), z = size * size;
    Vec p = broadcast(-0.0057170326f);
    p = fma(p, z, broadcast(0.020650575f));
    p = fma(p, z, broadcast(-0.053743493f));
    p = fma(p, z, broadcast(0.13331491f));
    p = fma(p, z, broadcast(-0.33333284f));
    const Vec small = fma(size * z, p, size);
    const Vec large = 1.f - 2.f / (BAREGRAD_ISA::exp(size + size) + 1.f);
    return copy_sign(size < 0.625f ? small : large, x);
  }
  // 1 - out^2 in two factors, of which neither cancels.
  static Vec backward(Vec out, Vec dout, float = 0) { return (1.f - out) * (1.f + out) * dout; }
};

struct softplus {
  static Vec forward(Vec x, float = 0) {
    return (x > 0.f ? x : Vec{}) + log1p(BAREGRAD_ISA::exp(-BAREGRAD_ISA::abs(x)));
  }
  static Vec backward(Vec x, Vec dout, float = 0) { return BAREGRAD_ISA::sigmoid(x) * dout; }
};

struct exp {
  static Vec forward(Vec x, float = 0) { return BAREGRAD_ISA::exp(x); }
  static Vec backward(Vec out, Vec dout, float = 0) { return out * dout; }
};

struct log {
  static Vec forward(Vec x, float = 0) { return BAREGRAD_ISA::log(x); }
  static Vec backward(Vec x, Vec dout, float = 0) { return dout / x; }
};

struct sqrt {
  static Vec forward(Vec x, float = 0) { return BAREGRAD_ISA::sqrt(x); }
  static Vec backward(Vec out, Vec dout, float = 0) { return dout / (2.f * out); }
};

struct sign {
  // NaN is neither; -0 becomes +0.
  static Vec forward(Vec x, float = 0) {
    return x > 0.f ? broadcast(1.f) : x < 0.f ? broadcast(-1.f) : x == 0.f ? Vec{} : x;
  }
  static Vec backward(Vec, Vec, float = 0) { return Vec{}; }
};

struct abs {
  static Vec forward(Vec x, float = 0) { return BAREGRAD_ISA::abs(x); }
  static Vec backward(Vec x, Vec dout, float = 0) { return sign::forward(x) * dout; }
};

struct neg {
  static Vec forward(Vec x, float = 0) { return -x; }
  static Vec backward(Vec, Vec dout, float = 0) { return -dout; }
};

}  // namespace kinds

// x (n,) -> out (n,)
template <class Kind>
void map_forward(const float* x, float* out, int64_t n, float alpha) {
  const bool past = outgrow_caches(out, n);
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    for_vectors(begin, end, past, [=](auto lanes, int64_t i) {
      lanes.write(out + i, Kind::forward(lanes.read(x + i), alpha));
    });
  });
}

// saved (n,), dout (n,) -> dx (n,)
template <class Kind>
void map_backward(const float* saved, const float* dout, float* dx, int64_t n, float alpha) {
  const bool past = outgrow_caches(dx, n);
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    for_vectors(begin, end, past, [=](auto lanes, int64_t i) {
      lanes.write(dx + i, Kind::backward(lanes.read(saved + i), lanes.read(dout + i), alpha));
    });
  });
}

void unary_forward(UnaryKind kind, const float* x, float* out, int64_t n, float alpha) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return map_forward<kinds::kind>(x, out, n, alpha);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

void unary_backward(UnaryKind kind, const float* saved, const float* dout, float* dx, int64_t n,
                    float alpha) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return map_backward<kinds::kind>(saved, dout, dx, n, alpha);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
