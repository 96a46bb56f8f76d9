#pragma once
#include "vec.h"

// exp, log, sine, cosine and what is made of them, of vectors, by polynomial: no libm, so that every
// lane, tail or not, gives the same bits for the same number. Coefficients: minimax, by Lawson's
// iteration. Over every float, with and without FMA: exp is within 1.05 ulp, log within 0.85, sine
// and cosine of k / 2^24 of a turn within 1.6 x 2^-24 of exact (tests/test_instruction_sets.py
// samples).

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr float kLn2High = 0x1.63p-1f;  // 9 bits: a product with |k| < 2^15 is exact
constexpr float kLn2Low = -0x1.bd0106p-13f;

// exp(x) = 2^k (1 + tail), tail = exp(r) - 1, where x = k ln 2 + r and |r| <= ln 2 / 2.
struct Exponential {
  Vec k, tail;
};

// -104 <= x <= 89, or NaN, which stays
inline Exponential exponential(Vec x) {
  const Vec round = broadcast(0x1.8p23f);  // adding it leaves an integer in the low bits
  const Vec shifted = fma(x, broadcast(0x1.715476p0f), round);
  const Vec k = shifted - round;
  const Vec r = fma(k, broadcast(-kLn2Low), fma(k, broadcast(-kLn2High), x));

  Vec p = broadcast(0x1.6db47cp-10f);
  p = fma(p, r, broadcast(0x1.123b94p-7f));
  p = fma(p, r, broadcast(0x1.55545ep-5f));
  p = fma(p, r, broadcast(0x1.55548ep-3f));
  p = fma(p, r, broadcast(0.5f));
  return {k, fma(r * r, p, r)};
}

// x <= 89, or NaN. Below -104 the result is 0 anyway, and k stays small.
inline Vec exp_up_to_89(Vec x) {
  const auto [k, tail] = exponential(max(broadcast(-104.f), x));
  return ldexp(tail + 1.f, k);
}
// Above 89 it is inf anyway.
inline Vec exp(Vec x) { return exp_up_to_89(min(broadcast(89.f), x)); }

// exp(x) - 1, within 3 ulp, for x <= 0
inline Vec expm1(Vec x) {
  const auto [k, tail] = exponential(max(broadcast(-20.f), x));  // there it is -1
  const Vec scale = floats(Bits(__builtin_convertvector(k, Int) + 127) << 23);
  return copy_sign(fma(tail, scale, scale - 1.f), x);  // -0 stays
}

// log(x) = k ln 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = 2 s + s^3 R(s^2) with
// s = f / (2 + f), rearranged as f - (f^2 / 2 - s (f^2 / 2 + s^2 R)) to lose no digits of f.
inline Vec log(Vec x) {
  constexpr float kSmallestNormal = 0x1p-126f;
  const Vec scaled = x < kSmallestNormal ? x * 0x1p24f : x;
  const Bits shifted = bits(scaled) - 0x3f3504f3u;  // sqrt(1/2): so the exponent field is k
  const Int k = reinterpret_cast<Int>(shifted) >> 23;
  const Vec f = floats((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.f;
  const Vec exponent =
      __builtin_convertvector(k, Vec) - (x < kSmallestNormal ? broadcast(24.f) : Vec{});

  const Vec s = f / (f + 2.f), z = s * s, half_square = 0.5f * f * f;
  const Vec series =
      fma(fma(broadcast(0.29962716f), z, broadcast(0.39973548f)), z, broadcast(0.6666682f));
  const Vec low = fma(exponent, broadcast(kLn2Low), s * fma(z, series, half_square));
  Vec result = fma(exponent, broadcast(kLn2High), f - (half_square - low));

  const Vec infinity = broadcast(__builtin_inff()), nan = broadcast(__builtin_nanf(""));
  result = x == infinity ? infinity : result;
  result = x == 0.f ? -infinity : result;
  return x >= 0.f ? result : nan;
}

struct SinCos {
  Vec sin, cos;
};

// sin(2 pi t) and cos(2 pi t) for |t| < 2^20: t = q / 4 + f, q = round(4 t), which is exact, and
// |f| <= 1/8; then sin(2 pi f) = 2 pi f + f^3 S(f^2) and cos(2 pi f) = 1 + f^2 C(f^2).
inline SinCos sincos_turn(Vec t) {
  const Vec round = broadcast(0x1.8p23f);  // adding it leaves an integer in the low bits
  const Vec shifted = fma(t, broadcast(4.f), round);
  const Vec f = t - 0.25f * (shifted - round), z = f * f;

  Vec s = broadcast(-75.36965f);
  s = fma(s, z, broadcast(81.59198f));
  s = fma(s, z, broadcast(-41.341663f));
  s = fma(f * z, s, 6.2831855f * f);
  Vec c = broadcast(59.245964f);
  c = fma(c, z, broadcast(-85.44374f));
  c = fma(c, z, broadcast(64.93932f));
  c = fma(c, z, broadcast(-19.739208f));
  c = fma(c, z, broadcast(1.f));

  // Each quarter of a turn makes sine the cosine and cosine the negative sine.
  const Bits q = bits(shifted), odd = q & 1;
  const Vec sin = odd != 0 ? c : s, cos = odd != 0 ? s : c;
  return {floats(bits(sin) ^ ((q & 2) << 30)), floats(bits(cos) ^ (((q + 1) & 2) << 30))};
}

// log(1 + x), within 3 ulp, for 0 <= x <= 1: what 1 + x rounds away comes back to first order.
inline Vec log1p(Vec x) {
  const Vec sum = 1.f + x;
  return log(sum) + (x - (sum - 1.f)) / sum;
}

// 1 / (1 + exp(-x)), without the overflow of exp(-x)
inline Vec sigmoid(Vec x) {
  const Vec e = exp(-abs(x));
  return (x >= 0.f ? broadcast(1.f) : e) / (1.f + e);
}

// The normal distribution at +-size: the probability beyond it, on one side, and the density.
struct Normal {
  Vec beyond, density;
};

// P(normal > size) = exp(-size^2 / 2) Q(size), for 0 <= size <= 14.4 or NaN. The rounded exponent
// brings size^2 / 2 u, so Q, a quotient of polynomials, may be off by about as much: by
// 1.21 (size^2 / 2 + 1) u, minimax. In all within (size^2 + 7) u of itself.
inline Normal normal(Vec size) {
  const auto [k, tail] = exponential(-0.5f * size * size);
  const Vec e = ldexp(tail + 1.f, k);
  Vec over = broadcast(0x1.8a4014p-6f), under = broadcast(0x1.ee45d8p-5f);
  under = fma(under, size, broadcast(0x1.ce8dc8p-2f));
  over = fma(over, size, broadcast(0x1.7194a8p-3f));
  under = fma(under, size, broadcast(0x1.7f449ap+0f));
  over = fma(over, size, broadcast(0x1.23ae02p-1f));
  under = fma(under, size, broadcast(0x1.3b9652p+1f));
  over = fma(over, size, broadcast(0x1.a97ed6p-1f));
  under = fma(under, size, broadcast(0x1.a97ed8p+0f));
  return {e * over / under, e * 0.3989422804f};  // 1 / sqrt(2 pi)
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
