// Stands in for CUDA's header of this name: the threads of a block, of a tile of a warp and those that
// happen to be here, as objects. Over the calls of simt/kernel_language.h, which report what goes wrong. A
// whole grid cannot wait for itself here: its blocks run one after another.
#pragma once

#include "cuda_runtime.h"

namespace cooperative_groups {

namespace simt_details {

inline unsigned rank_in_block() {
  return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}
inline unsigned block_size() { return blockDim.x * blockDim.y * blockDim.z; }
inline unsigned lane() { return rank_in_block() % warpSize; }

}  // namespace simt_details

class thread_block {
 public:
  void sync(simt::Location here = simt::Location::current()) const { __syncthreads(here); }
  unsigned thread_rank() const { return simt_details::rank_in_block(); }
  unsigned num_threads() const { return simt_details::block_size(); }
  unsigned size() const { return num_threads(); }
  dim3 group_index() const { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
  dim3 thread_index() const { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
  dim3 dim_threads() const { return blockDim; }
  dim3 group_dim() const { return blockDim; }
};

inline thread_block this_thread_block() { return {}; }

class grid_group {
 public:
  bool is_valid() const { return false; }  // of sync(), which there is none
  unsigned long long thread_rank() const {
    return block_rank() * block().size() + block().thread_rank();
  }
  unsigned long long size() const { return num_blocks() * block().size(); }
  unsigned long long num_blocks() const { return 1ull * gridDim.x * gridDim.y * gridDim.z; }
  unsigned long long block_rank() const {
    return (1ull * blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  }

 private:
  static thread_block block() { return {}; }
};

inline grid_group this_grid() { return {}; }

// kSize neighbours of a warp, a power of two.
template <unsigned kSize, typename Parent = thread_block>
class thread_block_tile {
  static_assert(kSize > 0 && kSize <= 32 && (kSize & (kSize - 1)) == 0,
                "a tile has 1, 2, 4, 8, 16 or 32 threads");
  using Here = simt::Location;

 public:
  unsigned thread_rank() const { return simt_details::rank_in_block() % kSize; }
  static constexpr unsigned num_threads() { return kSize; }
  static constexpr unsigned size() { return kSize; }
  unsigned meta_group_rank() const { return simt_details::rank_in_block() / kSize; }
  unsigned meta_group_size() const { return (simt_details::block_size() + kSize - 1) / kSize; }

  void sync(Here here = Here::current()) const { __syncwarp(mask(), here); }
  template <simt::ShuffleValue T>
  T shfl(T value, int source, Here here = Here::current()) const {
    return __shfl_sync(mask(), value, source, kSize, here);
  }
  template <simt::ShuffleValue T>
  T shfl_up(T value, unsigned delta, Here here = Here::current()) const {
    return __shfl_up_sync(mask(), value, delta, kSize, here);
  }
  template <simt::ShuffleValue T>
  T shfl_down(T value, unsigned delta, Here here = Here::current()) const {
    return __shfl_down_sync(mask(), value, delta, kSize, here);
  }
  template <simt::ShuffleValue T>
  T shfl_xor(T value, unsigned lanes, Here here = Here::current()) const {
    return __shfl_xor_sync(mask(), value, static_cast<int>(lanes), kSize, here);
  }
  int any(int yes, Here here = Here::current()) const { return __any_sync(mask(), yes, here); }
  int all(int yes, Here here = Here::current()) const { return __all_sync(mask(), yes, here); }
  unsigned ballot(int yes, Here here = Here::current()) const {
    return (__ballot_sync(mask(), yes, here) & mask()) >> first();
  }

 private:
  static unsigned first() { return simt_details::lane() / kSize * kSize; }
  static unsigned mask() { return (kSize == 32 ? ~0u : (1u << kSize % 32) - 1) << first(); }
};

template <unsigned kSize, typename Parent>
thread_block_tile<kSize, Parent> tiled_partition(const Parent&) {
  return {};
}

// The threads of a warp that came here together.
class coalesced_group {
  using Here = simt::Location;

 public:
  explicit coalesced_group(unsigned mask) : mask_(mask) {}
  unsigned num_threads() const { return static_cast<unsigned>(__builtin_popcount(mask_)); }
  unsigned size() const { return num_threads(); }
  unsigned thread_rank() const {
    return static_cast<unsigned>(__builtin_popcount(mask_ & ((1u << simt_details::lane()) - 1)));
  }
  void sync(Here here = Here::current()) const { __syncwarp(mask_, here); }
  template <simt::ShuffleValue T>
  T shfl(T value, unsigned source, Here here = Here::current()) const {
    unsigned lanes = mask_;
    for (unsigned skip = source % size(); skip > 0; --skip) lanes &= lanes - 1;
    return __shfl_sync(mask_, value, __builtin_ctz(lanes), warpSize, here);
  }
  int any(int yes, Here here = Here::current()) const { return __any_sync(mask_, yes, here); }
  int all(int yes, Here here = Here::current()) const { return __all_sync(mask_, yes, here); }

 private:
  unsigned mask_;
};

inline coalesced_group coalesced_threads(simt::Location here = simt::Location::current()) {
  return coalesced_group(__activemask(here));
}

template <typename Group>
void sync(const Group& group, simt::Location here = simt::Location::current()) {
  group.sync(here);
}

}  // namespace cooperative_groups
