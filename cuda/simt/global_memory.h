// What cudaMalloc gave: whose an address is. Memory stands between margins that belong to nobody and,
// once kernels are watched (watch.h), is kept a while after cudaFree, so that who still uses it is
// told so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "shadow.h"

namespace simt {

struct Allocation {
  std::byte* data;
  std::size_t bytes;
  std::uint64_t number;            // counted from 1
  std::unique_ptr<Shadow> shadow;  // where kernels are watched
  bool shared = false;             // by the host, which nobody watches: it may have written all
  bool freed = false;
  Allocation* next_freed = nullptr;
};

class GlobalMemory {
 public:
  static GlobalMemory& instance();

  std::byte* allocate(std::size_t bytes);  // filled with poison; nullptr if there is none
  bool free(void* memory);                 // false for what was not given, or was freed before

  // The one that an address lies in, or in a margin of, or nullptr. What it says holds until
  // generation() changes.
  Allocation* around(const std::byte* address);
  std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }

  void share(void* memory);  // which was given

  // The host wrote there, by cudaMemcpy or cudaMemset.
  void written_by_host(void* to, std::size_t bytes);

 private:
  Allocation* find(const std::byte* address);

  std::mutex mutex_;
  std::map<std::byte*, Allocation> allocations_;  // by their first byte
  // Those that were freed, in a list of their own: to free memory must not need any.
  Allocation *oldest_freed_ = nullptr, *newest_freed_ = nullptr;
  std::size_t freed_bytes_ = 0;
  std::uint64_t count_ = 0;
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace simt
