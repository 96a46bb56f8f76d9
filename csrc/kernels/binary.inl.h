// Elementwise arithmetic of two arrays that broadcast: a formula per kind, and one loop for all.
#include "rows.inl.h"
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// Half the lanes of a vector, in double, for pow: float32 would lose the digits of log2(a) that b
// multiplies up.
typedef float HalfVec __attribute__((vector_size(kVectorBytes / 2)));
typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef uint64_t DoubleBits __attribute__((vector_size(kVectorBytes)));

inline Doubles doubles(double x) { return x - Doubles{}; }

// log2(x) within 2^-43 of itself, for 0 < x < infinity. Where x = 2^k m with m in [sqrt(1/2),
// sqrt(2)) and s = (m - 1) / (m + 1), log(m) = 2 (s + s^3 / 3 + s^5 / 5 + ...), and s^2 < 0.0295.
inline Doubles log2(Doubles x) {
  constexpr uint64_t kHalfRoot = 0x3fe6a09e667f3bcd, kMantissa = 0x000fffffffffffff;
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  const DoubleBits shifted = reinterpret_cast<DoubleBits>(x) - kHalfRoot;
  const Doubles m = reinterpret_cast<Doubles>((shifted & kMantissa) + kHalfRoot);
  // 2^52 + k + 1024 as a double: cheaper than to convert k.
  const DoubleBits k = ((shifted + (uint64_t(1) << 62)) >> 52) + 0x4330000000000000;
  const Doubles s = (m - 1.0) / (m + 1.0), z = s * s;
  Doubles p = doubles(1 / 15.);
  p = p * z + 1 / 13.;
  p = p * z + 1 / 11.;
  p = p * z + 1 / 9.;
  p = p * z + 1 / 7.;
  p = p * z + 1 / 5.;
  p = p * z + 1 / 3.;
  return (reinterpret_cast<Doubles>(k) - (0x1p52 + 1024)) + kTwoOverLn2 * (s + s * z * p);
}

// 2^t within 2^-36 of itself, for |t| <= 200: the series of exp(r) to r^9, |r| <= ln 2 / 2.
inline Doubles exp2(Doubles t) {
  constexpr double kRound = 0x1.8p52;  // adding it leaves an integer in the low bits
  constexpr uint64_t kRoundBits = 0x4338000000000000;
  const Doubles shifted = t + kRound, r = (t - (shifted - kRound)) * 0.6931471805599453;
  const DoubleBits n = reinterpret_cast<DoubleBits>(shifted) - kRoundBits + 1023;
  Doubles p = doubles(1 / 362880.);
  p = p * r + 1 / 40320.;
  p = p * r + 1 / 5040.;
  p = p * r + 1 / 720.;
  p = p * r + 1 / 120.;
  p = p * r + 1 / 24.;
  p = p * r + 1 / 6.;
  p = p * r + 0.5;
  return (1.0 + (r + r * r * p)) * reinterpret_cast<Doubles>(n << 52);
}

// a^b for a >= 0, b not 0, neither NaN
inline Doubles positive_power(Doubles a, Doubles b) {
  const Doubles infinity = doubles(__builtin_inf());
  Doubles log = log2(a == 0.0 ? doubles(1) : a);
  log = a == 0.0 ? -infinity : a == infinity ? infinity : log;
  Doubles t = a == 1.0 ? Doubles{} : b * log;
  t = t > 200.0 ? doubles(200) : t;  // past these bounds the result is infinity or 0 as a float
  t = t < -200.0 ? doubles(-200) : t;
  return exp2(t);
}

namespace kinds {

struct add {
  static Vec of(Vec a, Vec b) { return a + b; }
};
struct sub {
  static Vec of(Vec a, Vec b) { return a - b; }
};
struct mul {
  static Vec of(Vec a, Vec b) { return a * b; }
};
struct div {
  static Vec of(Vec a, Vec b) { return a / b; }
};
struct maximum {
  static Vec of(Vec a, Vec b) { return ((a > b) | (a != a)) ? a : b; }
};
struct minimum {
  static Vec of(Vec a, Vec b) { return ((a < b) | (a != a)) ? a : b; }
};

struct pow {
  static Vec of(Vec a, Vec b) {
    HalfVec base[2], exponent[2], power[2];
    const Vec size = BAREGRAD_ISA::abs(a);
    __builtin_memcpy(base, &size, sizeof size);
    __builtin_memcpy(exponent, &b, sizeof b);
    for (int half = 0; half < 2; ++half)
      power[half] =
          __builtin_convertvector(positive_power(__builtin_convertvector(base[half], Doubles),
                                                 __builtin_convertvector(exponent[half], Doubles)),
                                  HalfVec);
    Vec result;
    __builtin_memcpy(&result, power, sizeof result);

    // Infinity, and every float from 2^24 on, is an even integer.
    const Vec small = BAREGRAD_ISA::abs(b) < 0x1p24f ? b : broadcast(0x1p24f);
    const Int whole = __builtin_convertvector(small, Int);
    const auto is_whole = __builtin_convertvector(whole, Vec) == small;
    const Bits sign = bits(a) & (Bits(whole) << 31) & Bits(is_whole);  // of odd powers alone
    result = floats(bits(result) | sign);
    result =
        (a < 0.f) & (a > -__builtin_inff()) & ~is_whole ? broadcast(__builtin_nanf("")) : result;
    result = ((a != a) | (b != b)) ? a + b : result;
    return ((b == 0.f) | (a == 1.f)) ? broadcast(1.f) : result;
  }
};

}  // namespace kinds

// a, b (...) -> out (...)
template <class Kind>
void map_binary(const float* a, const Strides& a_strides, const float* b, const Strides& b_strides,
                float* out, const Extents& extents) {
  const Strides strides[] = {a_strides, b_strides};
  const int64_t a_step = a_strides.step[extents.rank - 1];
  const int64_t b_step = b_strides.step[extents.rank - 1];
  const bool past = outgrow_caches(out, elements(extents));
  for_rows(extents, strides, kElementwiseGrain,
           [=](int64_t i, const int64_t(&offset)[2], int64_t n) {
             const float *p = a + offset[0], *q = b + offset[1];
             for_vectors(0, n, past && i % kLanes == 0, [=](auto lanes, int64_t j) {
               lanes.write(out + i + j, Kind::of(load_steps(p + j * a_step, a_step, n - j),
                                                 load_steps(q + j * b_step, b_step, n - j)));
             });
           });
}

void binary(BinaryKind kind, const float* a, Strides a_strides, const float* b, Strides b_strides,
            float* out, Extents extents) {
  switch (kind) {
#define BAREGRAD_CASE(kind) \
  case binary_##kind:       \
    return map_binary<kinds::kind>(a, a_strides, b, b_strides, out, extents);
    BAREGRAD_BINARY(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
