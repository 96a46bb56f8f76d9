// Atomic operations on global and shared memory. Each returns the value that was there before.
#pragma once

#include <atomic>
#include <type_traits>

#include "../../simt.h"
#include "concepts.h"

namespace simt {

// Relaxed, as on a device: an atomic orders nothing but itself.
template <typename T, typename Update>
T atomic_update(T* address, Update update) {
  const std::atomic_ref<T> cell(*address);
  T old = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(old, update(old), std::memory_order_relaxed)) {
  }
  return old;
}

}  // namespace simt

template <simt::AtomicSummand T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old + value; });
}

template <simt::OneOf<int, unsigned> T>
T atomicSub(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old - value; });
}

template <simt::AtomicSignedInteger T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old < value ? value : old; });
}

template <simt::AtomicSignedInteger T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return value < old ? value : old; });
}

template <simt::AtomicInteger T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old & value; });
}

template <simt::AtomicInteger T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old | value; });
}

template <simt::AtomicInteger T>
T atomicXor(T* address, std::type_identity_t<T> value) {
  return simt::atomic_update(address, [value](T old) { return old ^ value; });
}

// Counts up to `limit`, then starts again at 0.
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return simt::atomic_update(address, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}

// Counts down to 0, then starts again at `limit`.
inline unsigned atomicDec(unsigned* address, unsigned limit) {
  return simt::atomic_update(
      address, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

// An exchange that changed nothing may be the turn of a spin lock whose holder must run first.
template <simt::AtomicWord T>
T atomicExch(T* address, std::type_identity_t<T> value,
             simt::Location here = simt::Location::current()) {
  const T old = std::atomic_ref<T>(*address).exchange(value, std::memory_order_relaxed);
  if (old == value) simt::stand_aside({"atomicExch", here});
  return old;
}

template <simt::OneOf<int, unsigned, unsigned long long, unsigned short> T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value,
            simt::Location here = simt::Location::current()) {
  T old = expected;
  if (!std::atomic_ref<T>(*address).compare_exchange_strong(old, value, std::memory_order_relaxed))
    simt::stand_aside({"atomicCAS", here});
  return old;
}
