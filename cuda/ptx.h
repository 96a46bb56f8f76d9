// Instructions that CUDA C++ has no word for, a function each: as devices have them, as the simulator
// models them, and for devices that are older than they are.
#pragma once
#include <cuda_runtime.h>

#if defined(SIMT_SIMULATOR) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800)
#define BAREGRAD_PTX(...)
#else
#define BAREGRAD_PTX(...) asm volatile(__VA_ARGS__)
#endif

namespace baregrad::ptx {

// cp.async: *to = *from, or 0 where that is not inside, while the thread goes on. `to` is shared memory,
// `from` is global.
__device__ inline void copy_async(float* to, const float* from, bool inside) {
#if defined(SIMT_SIMULATOR)
  simt::copy_async(to, from, sizeof(float), inside ? sizeof(float) : 0);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  *to = inside ? *from : 0.f;
#else
  BAREGRAD_PTX(
      "cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(unsigned(__cvta_generic_to_shared(to))),
      "l"(from), "r"(inside ? 4 : 0) : "memory");
#endif
}

// cp.async.commit_group: what this thread began to copy since the last one is a group.
__device__ inline void commit_copies() {
#if defined(SIMT_SIMULATOR)
  simt::commit_copies();
#endif
  BAREGRAD_PTX("cp.async.commit_group;" :: : "memory");
}

// cp.async.wait_group: until all groups of this thread are there but for the kPending last ones.
template <int kPending>
__device__ inline void wait_for_copies() {
#if defined(SIMT_SIMULATOR)
  simt::wait_for_copies(kPending);
#endif
  BAREGRAD_PTX("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace baregrad::ptx
