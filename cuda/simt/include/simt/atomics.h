// Atomic operations on global and shared memory. Each returns the value that was there before. They are
// in every caller, whose line an access is to have.
#pragma once

#include <atomic>
#include <type_traits>

#include "../../simt.h"
#include "concepts.h"

#define SIMT_INLINE [[gnu::always_inline]] inline

namespace simt {

// Relaxed, as on a device: an atomic orders nothing but itself.
template <typename T, typename Update>
SIMT_INLINE T atomic_update(T* address, Update update) {
  const std::atomic_ref<T> cell(*address);
  T old = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(old, update(old), std::memory_order_relaxed)) {
  }
  return old;
}

}  // namespace simt

template <simt::AtomicSummand T>
SIMT_INLINE T atomicAdd(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old + value; });
}

template <simt::OneOf<int, unsigned> T>
SIMT_INLINE T atomicSub(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old - value; });
}

template <simt::AtomicSignedInteger T>
SIMT_INLINE T atomicMax(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old < value ? value : old; });
}

template <simt::AtomicSignedInteger T>
SIMT_INLINE T atomicMin(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return value < old ? value : old; });
}

template <simt::AtomicInteger T>
SIMT_INLINE T atomicAnd(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old & value; });
}

template <simt::AtomicInteger T>
SIMT_INLINE T atomicOr(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old | value; });
}

template <simt::AtomicInteger T>
SIMT_INLINE T atomicXor(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old ^ value; });
}

// Counts up to `limit`, then starts again at 0.
SIMT_INLINE unsigned atomicInc(unsigned* address, unsigned limit) {
  return simt::atomic_update(address, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}

// Counts down to 0, then starts again at `limit`.
SIMT_INLINE unsigned atomicDec(unsigned* address, unsigned limit) {
  return simt::atomic_update(
      address, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

// An exchange that changed nothing may be the turn of a spin lock whose holder must run first.
template <simt::AtomicWord T>
SIMT_INLINE T atomicExch(T* address, std::type_identity_t<T> value,
                         simt::Location here = simt::Location::current()) {
  const T old = std::atomic_ref<T>(*address).exchange(value, std::memory_order_relaxed);
  if (old == value) simt::stand_aside({"atomicExch", here});
  return old;
}

template <simt::OneOf<int, unsigned, unsigned long long, unsigned short> T>
SIMT_INLINE T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value,
                        simt::Location here = simt::Location::current()) {
  T old = expected;
  if (!std::atomic_ref<T>(*address).compare_exchange_strong(old, value, std::memory_order_relaxed))
    simt::stand_aside({"atomicCAS", here});
  return old;
}
