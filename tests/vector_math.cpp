// exp, log, sine and cosine of the vectors of one instruction set, for arrays. BAREGRAD_TEST_ISA names
// its file.
#include BAREGRAD_TEST_ISA

namespace isa = baregrad::BAREGRAD_ISA;

extern "C" __attribute__((visibility("default"))) void exp_of(const float* x, float* out,
                                                              int64_t n) {
  for (int64_t i = 0; i < n; i += isa::kLanes) {
    const int64_t left = n - i < isa::kLanes ? n - i : isa::kLanes;
    isa::store_n(out + i, isa::exp(isa::load_n(x + i, left, 0.f)), left);
  }
}

extern "C" __attribute__((visibility("default"))) void log_of(const float* x, float* out,
                                                              int64_t n) {
  for (int64_t i = 0; i < n; i += isa::kLanes) {
    const int64_t left = n - i < isa::kLanes ? n - i : isa::kLanes;
    isa::store_n(out + i, isa::log(isa::load_n(x + i, left, 1.f)), left);
  }
}

// turns (n,) -> out (2, n): their sines, then their cosines
extern "C" __attribute__((visibility("default"))) void sincos_turn_of(const float* x, float* out,
                                                                      int64_t n) {
  for (int64_t i = 0; i < n; i += isa::kLanes) {
    const int64_t left = n - i < isa::kLanes ? n - i : isa::kLanes;
    const isa::SinCos at = isa::sincos_turn(isa::load_n(x + i, left, 0.f));
    isa::store_n(out + i, at.sin, left);
    isa::store_n(out + n + i, at.cos, left);
  }
}
