// Instructions that CUDA C++ has no word for, a function each: as devices have them, as the simulator
// models them, and for devices that are older than they are.
#pragma once
#include <cuda_runtime.h>

#include <stdint.h>

// The device whose instructions there are: none where the host or the simulator compiles, or
// -DBAREGRAD_MODELS asks for the models.
#if defined(__CUDA_ARCH__) && !defined(BAREGRAD_MODELS)
#define BAREGRAD_SM (__CUDA_ARCH__ / 10)
#else
#define BAREGRAD_SM 0
#endif

namespace baregrad::ptx {

// cp.async: *to = *from, or 0 where that is not inside, while the thread goes on. `to` is shared memory,
// `from` is global.
__device__ inline void copy_async(float* to, const float* from, bool inside) {
#if defined(SIMT_SIMULATOR)
  simt::copy_async(to, from, sizeof(float), inside ? sizeof(float) : 0);
#elif BAREGRAD_SM < 80
  *to = inside ? *from : 0.f;
#else
  asm volatile(
      "cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(unsigned(__cvta_generic_to_shared(to))),
      "l"(from), "r"(inside ? 4 : 0)
      : "memory");
#endif
}

// The same of 16 bytes, of which the first `count` numbers are copied and the others 0. Both addresses are
// multiples of 16.
__device__ inline void copy_four_async(float* to, const float* from, int count) {
#if defined(SIMT_SIMULATOR)
  simt::copy_async(to, from, 4 * sizeof(float), count * sizeof(float));
#elif BAREGRAD_SM < 80
  float4 all = {};
  if (count == 4) all = *reinterpret_cast<const float4*>(from);
  if (count > 0) all.x = from[0];
  if (count > 1) all.y = from[1];
  if (count > 2) all.z = from[2];
  *reinterpret_cast<float4*>(to) = all;
#else
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(unsigned(__cvta_generic_to_shared(to))),
      "l"(from), "r"(count * 4)
      : "memory");
#endif
}

// cp.async.commit_group: what this thread began to copy since the last one is a group.
__device__ inline void commit_copies() {
#if defined(SIMT_SIMULATOR)
  simt::commit_copies();
#elif BAREGRAD_SM >= 80
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// cp.async.wait_group: until all groups of this thread are there but for the kPending last ones.
template <int kPending>
__device__ inline void wait_for_copies() {
#if defined(SIMT_SIMULATOR)
  simt::wait_for_copies(kPending);
#elif BAREGRAD_SM >= 80
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

// cvt.rna.tf32: x with 10 bits behind the point, ties away from 0.
__device__ inline uint32_t to_tf32(float x) {
#if BAREGRAD_SM < 80
  const uint32_t bits = __float_as_uint(x);
  if (x != x) return 0x7fffe000u;  // its lower bits may be all that says so
  const bool is_finite = (bits & 0x7f800000u) != 0x7f800000u;
  return (is_finite ? bits + 0x1000u : bits) & 0xffffe000u;
#else
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#endif
}

// cvt.rn.bf16x2: two numbers with 7 bits behind the point, ties to even; the first in the lower half.
__device__ inline uint32_t to_bf16(float first, float second) {
#if BAREGRAD_SM < 80
  const auto half = [](float x) {
    const uint32_t bits = __float_as_uint(x);
    if (x != x) return 0x7fffu;
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  };
  return half(first) | half(second) << 16;
#else
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
  return bits;
#endif
}

// ldmatrix.x4: four matrices of 8 rows of 4 numbers in shared memory. Lane l says where row l % 8 of
// matrix l / 8 begins, a multiple of 16 bytes, and is given number l % 4 of row l / 4 of each.
__device__ inline void load_matrices(float (&to)[4], const float* row) {
#if BAREGRAD_SM < 75
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const auto from = __shfl_sync(0xffffffffu, (unsigned long long)(row), e * 8 + lane / 4);
    to[e] = reinterpret_cast<const float*>(from)[lane % 4];
  }
#else
  uint32_t bits[4];
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(bits[0]), "=r"(bits[1]), "=r"(bits[2]), "=r"(bits[3])
               : "r"(unsigned(__cvta_generic_to_shared(row)))
               : "memory");
#pragma unroll
  for (int e = 0; e < 4; ++e) to[e] = __uint_as_float(bits[e]);
#endif
}

// mma.m16n8k8: c (16, 8) += a (16, 8) b (8, 8) by a warp. With g = lane / 4 and t = lane % 4, a lane holds
// c[g][2 t], c[g][2 t + 1], c[g + 8][2 t], c[g + 8][2 t + 1], and as TF32
// a[g][t], a[g + 8][t], a[g][t + 4], a[g + 8][t + 4] and b[t][g], b[t + 4][g].
__device__ inline void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if BAREGRAD_SM < 80
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll 1
  for (int k = 0; k < 4; ++k) {
    // Places k and k + 4 in one exchange, which is what takes the simulator long.
    const auto of = [&](uint32_t near, uint32_t far, int place) {
      return __shfl_sync(0xffffffffu, (unsigned long long)(far) << 32 | near, place * 4 + k);
    };
    const unsigned long long upper = of(a[0], a[2], g), lower = of(a[1], a[3], g);
    const unsigned long long left = of(b[0], b[1], 2 * t), right = of(b[0], b[1], 2 * t + 1);
#pragma unroll
    for (int shift = 0; shift < 64; shift += 32) {
      const auto number = [&](unsigned long long both) {  // its lower 13 bits are no part of it
        return __uint_as_float(uint32_t(both >> shift) & 0xffffe000u);
      };
      c[0] += number(upper) * number(left), c[1] += number(upper) * number(right);
      c[2] += number(lower) * number(left), c[3] += number(lower) * number(right);
    }
  }
#else
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// mma.m16n8k16: the same of bfloat16 and 16 places along k, two in a register: a[g][2 t], a[g][2 t + 1];
// then row g + 8; then both 8 places on; and b[2 t][g], b[2 t + 1][g]; then 8 places on.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if BAREGRAD_SM < 80
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll 1
  for (int k = 0; k < 16; ++k) {
    const auto of = [&](uint32_t near, uint32_t far, int place) {
      const uint32_t both = __shfl_sync(0xffffffffu, k < 8 ? near : far, place * 4 + k % 8 / 2);
      return __uint_as_float(k % 2 ? both & 0xffff0000u : both << 16);
    };
    const float upper = of(a[0], a[2], g), lower = of(a[1], a[3], g);
    const float left = of(b[0], b[1], 2 * t), right = of(b[0], b[1], 2 * t + 1);
    c[0] += upper * left, c[1] += upper * right, c[2] += lower * left, c[3] += lower * right;
  }
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

}  // namespace baregrad::ptx
