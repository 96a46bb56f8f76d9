// exp, log, sine and cosine by the vectors of one instruction set, for arrays. BAREGRAD_ISA and
// BAREGRAD_VECTOR_BYTES are as its file in csrc/isa has them.
#include "math.h"

namespace isa = baregrad::BAREGRAD_ISA;

// x (n,) -> out (n,), a vector at a time
#define BAREGRAD_EXPORT(name, function)                                                   \
  extern "C" __attribute__((visibility("default"))) void name(const float* x, float* out, \
                                                              int64_t n) {                \
    for (int64_t i = 0; i < n; i += isa::kLanes) {                                        \
      const int64_t left = n - i < isa::kLanes ? n - i : isa::kLanes;                     \
      isa::store_n(out + i, function(isa::load_n(x + i, left, 1.f)), left);               \
    }                                                                                     \
  }

static isa::Vec sin_turn(isa::Vec turn) { return isa::sincos_turn(turn).sin; }
static isa::Vec cos_turn(isa::Vec turn) { return isa::sincos_turn(turn).cos; }

BAREGRAD_EXPORT(exp_of, isa::exp)
BAREGRAD_EXPORT(log_of, isa::log)
BAREGRAD_EXPORT(sin_turn_of, sin_turn)
BAREGRAD_EXPORT(cos_turn_of, cos_turn)
