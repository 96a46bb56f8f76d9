#pragma once
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../threads.h"

// One vocabulary of vectors over the compiler's own vector types, for every instruction set: + - *
// / < and ?: work as on floats. An instruction set defines BAREGRAD_ISA and BAREGRAD_VECTOR_BYTES
// and then includes this; only what the compiler does not do well by itself is said per instruction
// set.
//
// Everything is in an anonymous namespace: were one of these functions shared between objects, the
// linker might hand its AVX-512 copy to a CPU without AVX-512.

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int kVectorBytes = BAREGRAD_VECTOR_BYTES;
constexpr int kLanes = kVectorBytes / 4;
typedef float Vec __attribute__((vector_size(kVectorBytes)));
typedef uint32_t Bits __attribute__((vector_size(kVectorBytes)));  // the same bits, as integers
typedef int32_t Int __attribute__((vector_size(kVectorBytes)));
typedef uint64_t Wide __attribute__((vector_size(kVectorBytes)));  // half as many, of 64 bits
typedef uint8_t Bytes __attribute__((vector_size(kLanes)));        // a byte for each lane
typedef float UnalignedVec __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));

constexpr int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }
constexpr int64_t divide_down(int64_t x, int64_t y) { return x / y - (x % y < 0); }  // y > 0
constexpr int64_t round_up(int64_t x, int64_t y) { return divide_up(x, y) * y; }
constexpr int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }
constexpr int64_t most(int64_t x, int64_t y) { return x > y ? x : y; }

struct Span {
  int64_t begin, end;
};

inline Vec broadcast(float x) { return x - Vec{}; }  // x + 0 would turn -0 into +0
inline Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
// To a place that is a multiple of a vector, past the caches: memory is not read for what is all
// overwritten. Before anybody else may look, finish_streams().
inline void stream(float* p, Vec v) {
#if BAREGRAD_VECTOR_BYTES == 64
  _mm512_stream_ps(p, v);
#elif BAREGRAD_VECTOR_BYTES == 32
  _mm256_stream_ps(p, v);
#elif defined(__x86_64__)
  _mm_stream_ps(p, v);
#else
  store(p, v);
#endif
}
inline void finish_streams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}
inline Bits bits(Vec v) { return reinterpret_cast<Bits>(v); }
inline Vec floats(Bits b) { return reinterpret_cast<Vec>(b); }

// The first n lanes from memory, the others `fill`; the first n lanes to memory. 0 <= n <= kLanes.
inline Vec load_n(const float* p, int64_t n, float fill);
inline void store_n(float* p, Vec v, int64_t n);
// Those lanes of memory whose bits are set in `lanes`, with nothing read beyond them, and 0 in the others.
// The bits lie in memory, too, from where AVX2 broadcasts them.
inline Vec load_some(const float* p, const uint32_t& lanes);
// The lowest byte of each lane, and each byte as a lane. By itself GCC takes them one by one.
inline Bytes narrow(Bits v);
inline Bits widen(Bytes b);
// a0 a2 ... b1 b3 ..., half of each
inline Vec even_and_odd(Vec a, Vec b);
// a0 b0 a1 b1 ... in two vectors
inline void interleave(Vec a, Vec b, Vec& low, Vec& high);

// a * b + c, rounded once where the instruction set can.
inline Vec fma(Vec a, Vec b, Vec c);
inline Vec sqrt(Vec v);
// a > b ? a : b, and a < b ? a : b: lanes that are NaN on either side come from b.
inline Vec max(Vec a, Vec b);
inline Vec min(Vec a, Vec b);
// v 2^k, rounded once, for whole k from -150 to 128
inline Vec ldexp(Vec v, Vec k);

// For each lane, the product of the two lower halves.
inline Wide multiply_low(Wide a, Wide b);
// a0 b0 a2 b2 ... and a1 b1 a3 b3 ...
inline Wide even_lanes(Wide a, Wide b);
inline Wide odd_lanes(Wide a, Wide b);

#if BAREGRAD_VECTOR_BYTES == 64
inline __mmask16 first(int64_t n) { return __mmask16((1u << n) - 1); }
inline Vec load_n(const float* p, int64_t n, float fill) {
  return _mm512_mask_loadu_ps(broadcast(fill), first(n), p);
}
inline void store_n(float* p, Vec v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
inline Vec load_some(const float* p, const uint32_t& lanes) {
  return _mm512_maskz_loadu_ps(__mmask16(lanes), p);
}
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec sqrt(Vec v) { return _mm512_sqrt_ps(v); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec ldexp(Vec v, Vec k) { return _mm512_scalef_ps(v, k); }
inline Wide multiply_low(Wide a, Wide b) { return Wide(_mm512_mul_epu32(__m512i(a), __m512i(b))); }
inline Wide even_lanes(Wide a, Wide b) {
  return Wide(_mm512_unpacklo_epi64(__m512i(a), __m512i(b)));
}
inline Wide odd_lanes(Wide a, Wide b) {
  return Wide(_mm512_unpackhi_epi64(__m512i(a), __m512i(b)));
}
inline Bytes narrow(Bits v) { return Bytes(_mm512_cvtepi32_epi8(__m512i(v))); }
inline Bits widen(Bytes b) { return Bits(_mm512_cvtepu8_epi32(__m128i(b))); }
inline Vec even_and_odd(Vec a, Vec b) {
  const __m512i lanes =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a, lanes, b);
}
inline void interleave(Vec a, Vec b, Vec& low, Vec& high) {
  const __m512i lanes = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  low = _mm512_permutex2var_ps(a, lanes, b);
  high = _mm512_permutex2var_ps(a, _mm512_add_epi32(lanes, _mm512_set1_epi32(8)), b);
}

#elif BAREGRAD_VECTOR_BYTES == 32
inline __m256i first(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load_n(const float* p, int64_t n, float fill) {
  const __m256i mask = first(n);
  return _mm256_blendv_ps(broadcast(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
inline void store_n(float* p, Vec v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
inline Vec load_some(const float* p, const uint32_t& lanes) {
  const __m256i to_sign = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
  __m256i bits;  // by itself the compiler takes them from where they were compared: one more step
  asm("vbroadcastss %1, %0" : "=x"(bits) : "m"(lanes));
  return _mm256_maskload_ps(p, _mm256_sllv_epi32(bits, to_sign));
}
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec sqrt(Vec v) { return _mm256_sqrt_ps(v); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Wide multiply_low(Wide a, Wide b) { return Wide(_mm256_mul_epu32(__m256i(a), __m256i(b))); }
inline Wide even_lanes(Wide a, Wide b) {
  return Wide(_mm256_unpacklo_epi64(__m256i(a), __m256i(b)));
}
inline Wide odd_lanes(Wide a, Wide b) {
  return Wide(_mm256_unpackhi_epi64(__m256i(a), __m256i(b)));
}
inline Bytes narrow(Bits v) {
  const __m256i low = __m256i(v & 0xff);
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  return Bytes(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
}
inline Bits widen(Bytes b) { return Bits(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(int64_t(b)))); }
inline Vec even_and_odd(Vec a, Vec b) {
  const __m256 halves = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 2, 0));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(halves), _MM_SHUFFLE(3, 1, 2, 0)));
}
inline void interleave(Vec a, Vec b, Vec& low, Vec& high) {
  const __m256 near = _mm256_unpacklo_ps(a, b), far = _mm256_unpackhi_ps(a, b);
  low = _mm256_permute2f128_ps(near, far, 0x20);
  high = _mm256_permute2f128_ps(near, far, 0x31);
}

#else
inline Vec load_n(const float* p, int64_t n, float fill) {
  Vec v = broadcast(fill);
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
inline void store_n(float* p, Vec v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
inline Vec load_some(const float* p, const uint32_t& lanes) {
  Vec v = {};
  for (int i = 0; i < kLanes; ++i)
    if (lanes >> i & 1) v[i] = p[i];
  return v;
}
inline Vec even_and_odd(Vec a, Vec b) { return Vec{a[0], a[2], b[1], b[3]}; }
inline void interleave(Vec a, Vec b, Vec& low, Vec& high) {
  low = Vec{a[0], b[0], a[1], b[1]};
  high = Vec{a[2], b[2], a[3], b[3]};
}
#if defined(__aarch64__)
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
inline Vec sqrt(Vec v) { return vsqrtq_f32(v); }
inline Wide multiply_low(Wide a, Wide b) {
  return Wide(vmull_u32(vmovn_u64(uint64x2_t(a)), vmovn_u64(uint64x2_t(b))));
}
#elif defined(__x86_64__)
inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
inline Vec sqrt(Vec v) { return _mm_sqrt_ps(v); }
inline Vec max(Vec a, Vec b) { return _mm_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm_min_ps(a, b); }
inline Bytes narrow(Bits v) {
  const __m128i words = _mm_packs_epi32(__m128i(v & 0xff), __m128i(v & 0xff));
  return Bytes(_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
}
inline Bits widen(Bytes b) {
  const __m128i none = _mm_setzero_si128();
  const __m128i words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(int32_t(b)), none);
  return Bits(_mm_unpacklo_epi16(words, none));
}
inline Wide multiply_low(Wide a, Wide b) { return Wide(_mm_mul_epu32(__m128i(a), __m128i(b))); }
#else
inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
inline Vec sqrt(Vec v) {
  for (int i = 0; i < kLanes; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
}
inline Wide multiply_low(Wide a, Wide b) { return (a & 0xffffffffu) * (b & 0xffffffffu); }
#endif
#if !defined(__x86_64__)
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec min(Vec a, Vec b) { return a < b ? a : b; }
inline Bytes narrow(Bits v) { return __builtin_convertvector(v & 0xff, Bytes); }
inline Bits widen(Bytes b) { return __builtin_convertvector(b, Bits); }
#endif
inline Wide even_lanes(Wide a, Wide b) { return Wide{a[0], b[0]}; }
inline Wide odd_lanes(Wide a, Wide b) { return Wide{a[1], b[1]}; }
#endif

#if BAREGRAD_VECTOR_BYTES != 64
// By two factors: k reaches from -150, a denormal result, to 128, just below infinity.
inline Vec ldexp(Vec v, Vec k) {
  const Int whole = __builtin_convertvector(k, Int), half = whole >> 1;
  return v * floats(Bits(half + 127) << 23) * floats(Bits(whole - half + 127) << 23);
}
#endif

inline Vec abs(Vec v) { return floats(bits(v) & 0x7fffffffu); }
inline Vec copy_sign(Vec size, Vec sign) { return floats(bits(size) | (bits(sign) & 0x80000000u)); }

// to[i step + j] = from[j][i] for i and j below 4
inline void transpose_4x4(const float* const* from, float* to, int64_t step) {
#if defined(__x86_64__)
  __m128 a = _mm_loadu_ps(from[0]), b = _mm_loadu_ps(from[1]);
  __m128 c = _mm_loadu_ps(from[2]), d = _mm_loadu_ps(from[3]);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + step, b);
  _mm_storeu_ps(to + 2 * step, c);
  _mm_storeu_ps(to + 3 * step, d);
#else
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) to[i * step + j] = from[j][i];
#endif
}

// The same for i and j below 8.
inline void transpose_8x8(const float* const* from, float* to, int64_t step) {
#if BAREGRAD_VECTOR_BYTES >= 32
  __m256 halves[8];  // 0 4, 1 5, 2 6, 3 7 of the first four columns, and of the last
  for (int k = 0; k < 8; ++k) {
    const float *low = from[k % 4] + k / 4 * 4, *high = from[k % 4 + 4] + k / 4 * 4;
    halves[k] =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
  }
  for (int k = 0; k < 8; k += 4, to += 4 * step) {
    const __m256 a = _mm256_unpacklo_ps(halves[k], halves[k + 1]);
    const __m256 b = _mm256_unpackhi_ps(halves[k], halves[k + 1]);
    const __m256 c = _mm256_unpacklo_ps(halves[k + 2], halves[k + 3]);
    const __m256 d = _mm256_unpackhi_ps(halves[k + 2], halves[k + 3]);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(a, c, _MM_SHUFFLE(1, 0, 1, 0)));
    _mm256_storeu_ps(to + step, _mm256_shuffle_ps(a, c, _MM_SHUFFLE(3, 2, 3, 2)));
    _mm256_storeu_ps(to + 2 * step, _mm256_shuffle_ps(b, d, _MM_SHUFFLE(1, 0, 1, 0)));
    _mm256_storeu_ps(to + 3 * step, _mm256_shuffle_ps(b, d, _MM_SHUFFLE(3, 2, 3, 2)));
  }
#else
  for (int j = 0; j < 8; j += 4)
    for (int i = 0; i < 8; i += 4) {
      const float* const four[] = {from[j] + i, from[j + 1] + i, from[j + 2] + i, from[j + 3] + i};
      transpose_4x4(four, to + i * step + j, step);
    }
#endif
}

// load_n and store_n where n is mostly a whole vector.
inline Vec load_upto(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : load_n(p, n, 0.f);
}
inline void store_upto(float* p, Vec v, int64_t n) {
  if (n >= kLanes)
    store(p, v);
  else
    store_n(p, v, n);
}

// p[0], p[2], ... in the first n lanes, and nothing of memory beyond them; `fill` in the others.
inline Vec load_even(const float* p, int64_t n, float fill) {
  if (n >= kLanes) return even_and_odd(load(p), load(p + kLanes - 1));
  if (n == 0) return broadcast(fill);
  const int64_t beyond = 2 * n > kLanes ? 2 * n - kLanes : 0;
  return even_and_odd(load_n(p, least(2 * n - 1, kLanes), fill),
                      load_n(p + kLanes - 1, beyond, fill));
}
// a0 b0 a1 b1 ... to memory, of the first n lanes.
inline void store_pairs(float* p, Vec a, Vec b, int64_t n) {
  Vec low, high;
  interleave(a, b, low, high);
  store_upto(p, low, 2 * n);
  if (2 * n > kLanes) store_upto(p + kLanes, high, 2 * n - kLanes);
}

// The same of bytes: zeros in the other lanes.
inline Bytes load_bytes_upto(const uint8_t* p, int64_t n) {
#if BAREGRAD_VECTOR_BYTES == 64
  if (n < kLanes) return Bytes(_mm_maskz_loadu_epi8(first(n), p));
#endif
  Bytes bytes = {};
  if (n >= kLanes)
    __builtin_memcpy(&bytes, p, sizeof bytes);
  else
    for (int64_t l = 0; l < n; ++l) bytes[l] = p[l];
  return bytes;
}
inline void store_bytes_upto(uint8_t* p, Bytes bytes, int64_t n) {
#if BAREGRAD_VECTOR_BYTES == 64
  if (n < kLanes) return _mm_mask_storeu_epi8(p, first(n), __m128i(bytes));
#endif
  if (n >= kLanes)
    __builtin_memcpy(p, &bytes, sizeof bytes);
  else
    for (int64_t l = 0; l < n; ++l) p[l] = bytes[l];
}

// Combines the lanes pairwise, halves first: log2(kLanes) roundings, in a fixed order.
template <class Combine>
inline float combine_lanes(Vec v, Combine combine) {
  float lane[kLanes];
  store(lane, v);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] = combine(lane[i], lane[i + half]);
  return lane[0];
}
inline float sum_lanes(Vec v) {
  return combine_lanes(v, [](float a, float b) { return a + b; });
}
inline float max_lanes(Vec v) {
  return combine_lanes(v, [](float a, float b) { return a > b ? a : b; });
}

// Elements below which waking a thread costs more than it saves: 64 Ki take about 10 us.
constexpr int64_t kElementwiseGrain = 1 << 16;
static_assert(kElementwiseGrain % kLanes == 0);

// body(begin, end) over [0, n) in pieces that start at multiples of grain, on all threads: see
// ../threads.h.
template <class Body>
inline void parallel_for(int64_t n, int64_t grain, Body body, int64_t slice = 1) {
  baregrad::parallel_for(
      n, grain,
      [](void* context, int64_t begin, int64_t end) { (*static_cast<Body*>(context))(begin, end); },
      &body, slice);
}

// *place = value if that is less, from any thread.
inline void keep_smallest(int64_t* place, int64_t value) {
  int64_t seen = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(place, &seen, value, true, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
