// The words that CUDA adds to C++, and the calls by which threads of a block or warp meet.
#pragma once

#include <chrono>
#include <cstdio>  // a kernel may print

#include "../../simt.h"
#include "concepts.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#if defined(__SANITIZE_THREAD__)
#define SIMT_IS_WATCHED true
#elif defined(__has_feature)
#define SIMT_IS_WATCHED __has_feature(thread_sanitizer)
#else
#define SIMT_IS_WATCHED false
#endif
// __shared__ and __noinline__ are left to translate.py: the first is more than an attribute, and
// the C library spells one of its own attributes like the second.

inline void __syncthreads(simt::Location here = simt::Location::current()) {
  simt::sync_block({"__syncthreads", here}, false);
}

inline int __syncthreads_count(int predicate, simt::Location here = simt::Location::current()) {
  simt::sync_block({"__syncthreads_count", here}, predicate != 0);
  return simt::block_vote().yes;
}

inline int __syncthreads_and(int predicate, simt::Location here = simt::Location::current()) {
  simt::sync_block({"__syncthreads_and", here}, predicate != 0);
  const simt::BlockVote vote = simt::block_vote();
  return vote.yes == vote.voters;
}

inline int __syncthreads_or(int predicate, simt::Location here = simt::Location::current()) {
  simt::sync_block({"__syncthreads_or", here}, predicate != 0);
  return simt::block_vote().yes > 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       simt::Location here = simt::Location::current()) {
  simt::sync_warp({"__syncwarp", here}, mask, false);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              simt::Location here = simt::Location::current()) {
  simt::sync_warp({"__ballot_sync", here}, mask, predicate != 0);
  return static_cast<unsigned>(simt::warp_answer());
}

inline int __any_sync(unsigned mask, int predicate,
                      simt::Location here = simt::Location::current()) {
  simt::sync_warp({"__any_sync", here}, mask, predicate != 0);
  return simt::warp_answer() != 0;
}

inline int __all_sync(unsigned mask, int predicate,
                      simt::Location here = simt::Location::current()) {
  simt::sync_warp({"__all_sync", here}, mask, predicate == 0);
  return simt::warp_answer() == 0;
}

inline unsigned __activemask(simt::Location here = simt::Location::current()) {
  simt::sync_active_lanes({"__activemask", here});
  return static_cast<unsigned>(simt::warp_answer());
}

namespace simt {

template <ShuffleValue T>
T shuffle_as(const Site& site, Mask mask, T value, Shuffle how, int operand, int width) {
  std::uint64_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof value);
  shuffle(site, mask, bits, how, operand, width);
  bits = warp_answer();
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace simt

template <simt::ShuffleValue T>
T __shfl_sync(unsigned mask, T value, int source_lane, int width = warpSize,
              simt::Location here = simt::Location::current()) {
  return simt::shuffle_as({"__shfl_sync", here}, mask, value, simt::Shuffle::kIndexed, source_lane,
                          width);
}

template <simt::ShuffleValue T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 simt::Location here = simt::Location::current()) {
  return simt::shuffle_as({"__shfl_up_sync", here}, mask, value, simt::Shuffle::kUp,
                          static_cast<int>(delta), width);
}

template <simt::ShuffleValue T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   simt::Location here = simt::Location::current()) {
  return simt::shuffle_as({"__shfl_down_sync", here}, mask, value, simt::Shuffle::kDown,
                          static_cast<int>(delta), width);
}

template <simt::ShuffleValue T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize,
                  simt::Location here = simt::Location::current()) {
  return simt::shuffle_as({"__shfl_xor_sync", here}, mask, value, simt::Shuffle::kXor, lane_mask,
                          width);
}

// One thread of the simulator runs at a time and sees what the others wrote: a fence only tells who
// watches that this is meant.
inline void __threadfence_block() { simt::fence(); }
inline void __threadfence() { simt::fence(); }
inline void __threadfence_system() { simt::fence(); }

namespace simt {

// In every caller, so that each says for itself whether it is watched.
[[gnu::always_inline]] inline void copy_async(void* to, const void* from, std::size_t bytes,
                                              std::size_t read) {
  copy_async(to, from, bytes, read, SIMT_IS_WATCHED);
}

}  // namespace simt

// The host's clock, which says nothing of a device.
inline long long clock64() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

inline void __nanosleep(unsigned, simt::Location here = simt::Location::current()) {
  simt::stand_aside({"__nanosleep", here});
}

inline void __trap(simt::Location here = simt::Location::current()) {
  simt::trap({"__trap", here});
}
