#pragma once
#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

// Vectors of the compiler's own: + - * and < work on all lanes at once, and with a number that goes
// to every lane. As wide as the registers of what a rung is compiled for.

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef float UnalignedVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }

// The first n lanes from memory, the others `fill`; the first n lanes to memory. 0 <= n <= kLanes.
inline Vec load_n(const float* p, int64_t n, float fill) {
  if (n == kLanes) return load(p);
  Vec v = Vec{} + fill;
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
inline void store_n(float* p, Vec v, int64_t n) {
  if (n == kLanes) return store(p, v);
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}

// Four floats from each of four places -> to, `step` apart: the first of each, the second, ...
inline void transpose_4x4(const float* const* from, float* to, int64_t step) {
#if defined(__x86_64__)
  __m128 four[4];
  for (int i = 0; i < 4; ++i) four[i] = _mm_loadu_ps(from[i]);
  _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
  for (int i = 0; i < 4; ++i) _mm_storeu_ps(to + i * step, four[i]);
#else
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) to[i * step + j] = from[j][i];
#endif
}

constexpr int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }
constexpr int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }
constexpr int64_t round_up(int64_t x, int64_t y) { return divide_up(x, y) * y; }

}  // namespace
