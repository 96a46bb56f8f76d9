// Elementwise ops of one argument: a struct of two formulas per kind, and one loop for all.

namespace baregrad::BAREGRAD_ISA {
namespace {

namespace kinds {

struct relu {
  // NaN is not <= 0, so it stays; -0 is, and becomes +0.
  static Vec forward(Vec x) { return x <= 0.f ? Vec{} : x; }
  static Vec backward(Vec out, Vec dout) { return out <= 0.f ? Vec{} : dout; }
};

struct tanh {
  // Small x: x + x^3 P(x^2), minimax; 1 - 2 / (exp(2x) + 1) would cancel there.
  static Vec forward(Vec x) {
    const Vec size = abs(x), z = size * size;
    Vec p = broadcast(-0.0057170326f);
    p = fma(p, z, broadcast(0.020650575f));
    p = fma(p, z, broadcast(-0.053743493f));
    p = fma(p, z, broadcast(0.13331491f));
    p = fma(p, z, broadcast(-0.33333284f));
    const Vec small = fma(size * z, p, size), large = 1.f - 2.f / (exp(size + size) + 1.f);
    return copy_sign(size < 0.625f ? small : large, x);
  }
  // 1 - out^2 in two factors, of which neither cancels.
  static Vec backward(Vec out, Vec dout) { return (1.f - out) * (1.f + out) * dout; }
};

}  // namespace kinds

// x (n,) -> out (n,)
template <class Kind>
void map_forward(const float* x, float* out, int64_t n) {
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) store(out + i, Kind::forward(load(x + i)));
    store_n(out + i, Kind::forward(load_n(x + i, end - i, 0.f)), end - i);
  });
}

// saved (n,), dout (n,) -> dx (n,)
template <class Kind>
void map_backward(const float* saved, const float* dout, float* dx, int64_t n) {
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      store(dx + i, Kind::backward(load(saved + i), load(dout + i)));
    const int64_t tail = end - i;
    store_n(dx + i, Kind::backward(load_n(saved + i, tail, 0.f), load_n(dout + i, tail, 0.f)),
            tail);
  });
}

void unary_forward(UnaryKind kind, const float* x, float* out, int64_t n) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return map_forward<kinds::kind>(x, out, n);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

void unary_backward(UnaryKind kind, const float* saved, const float* dout, float* dx, int64_t n) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case unary_##kind:        \
    return map_backward<kinds::kind>(saved, dout, dx, n);
    BAREGRAD_UNARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
