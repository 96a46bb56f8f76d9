// The two ceilings of this machine, measured the way a kernel would reach them.

namespace baregrad::BAREGRAD_ISA {
namespace {

// Enough independent chains to hide a latency of 4 cycles on two units, few enough for 16
// registers.
constexpr int kChains = 12;

// Runs `steps` rounds of multiply-adds in registers on the calling thread; returns the flops done.
double probe_fma(int64_t steps) {
  Vec chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = broadcast(float(i));
  Vec factor = broadcast(0.5f), term = broadcast(1.f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) chain[i] = fma(chain[i], factor, term);
#if defined(__x86_64__)
    asm volatile("" : "+x"(factor), "+x"(term));  // or the compiler would solve the recurrence
#else
    asm volatile("" : "+w"(factor), "+w"(term));
#endif
  }
  for (int i = 0; i < kChains; ++i) {
    float sink = sum_lanes(chain[i]);
    asm volatile("" : : "m"(sink));
  }
  return 2.0 * kChains * kLanes * double(steps);
}

// from (n,) -> to (n,), on all threads. From an array to itself it adds 0, which moves as much.
void probe_copy(const float* from, float* to, int64_t n) {
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    if (from != to)
      __builtin_memcpy(to + begin, from + begin, uint64_t(end - begin) * sizeof(float));
    else
      for (int64_t i = begin; i < end; i += kLanes)
        store_upto(to + i, load_upto(from + i, end - i) + broadcast(0.f), end - i);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
