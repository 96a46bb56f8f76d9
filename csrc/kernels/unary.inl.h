// Elementwise ops of one argument: a struct of two formulas per kind, and one loop for all.

namespace baregrad::BAREGRAD_ISA {
namespace {

namespace kinds {

struct relu {
  // NaN is not <= 0, so it stays; -0 is, and becomes +0.
  static Vec forward(Vec x) { return x <= 0.f ? Vec{} : x; }
  static Vec backward(Vec out, Vec dout) { return out <= 0.f ? Vec{} : dout; }
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
