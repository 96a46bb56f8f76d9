#include "global_memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "shared_memory.h"
#include "watch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace simt {
namespace {

constexpr std::size_t kMargin = 256;  // of every address that cudaMalloc returns, a multiple too
constexpr std::size_t kKeptFreed = std::size_t{64} << 20;  // bytes

constexpr std::size_t round_up(std::size_t bytes) {
  return (bytes + kMargin - 1) / kMargin * kMargin;
}

}  // namespace

GlobalMemory& GlobalMemory::instance() {
  // Never destroyed, as arrays may outlive the module, and in no memory that might not be there.
  alignas(GlobalMemory) static std::byte room[sizeof(GlobalMemory)];
  static GlobalMemory& memory = *new (room) GlobalMemory;
  return memory;
}

std::byte* GlobalMemory::allocate(std::size_t bytes) {
  const std::size_t room = round_up(bytes) + 2 * kMargin;
  if (room < bytes) return nullptr;
  std::unique_ptr<std::byte, void (*)(void*)> begin(
      static_cast<std::byte*>(std::aligned_alloc(kMargin, room)), &std::free);
  if (begin == nullptr) return nullptr;
  std::byte* const data = begin.get() + kMargin;
  try {
    auto shadow = is_watching() ? std::make_unique<Shadow>(bytes) : nullptr;
    const std::lock_guard lock(mutex_);
    allocations_.emplace(data, Allocation{data, bytes, count_ + 1, std::move(shadow)});
    ++count_;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(begin.get(), kMargin);
  ASAN_POISON_MEMORY_REGION(data + bytes, room - kMargin - bytes);
#endif
  begin.release();
  std::memset(data, kPoison, bytes);
  return data;
}

bool GlobalMemory::free(void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(static_cast<std::byte*>(memory));
  if (found == allocations_.end() || found->second.freed) return false;
  ++generation_;
  Allocation& freed = found->second;
  freed.freed = true;
  freed.shadow.reset();
  freed_bytes_ += freed.bytes;
  (oldest_freed_ == nullptr ? oldest_freed_ : newest_freed_->next_freed) = &freed;
  newest_freed_ = &freed;
  while (oldest_freed_ != nullptr && (freed_bytes_ > kKeptFreed || !is_watching())) {
    std::byte* const data = oldest_freed_->data;
    freed_bytes_ -= oldest_freed_->bytes;
    oldest_freed_ = oldest_freed_->next_freed;
    allocations_.erase(data);
    std::free(data - kMargin);
  }
  return true;
}

Allocation* GlobalMemory::around(const std::byte* address) {
  const std::lock_guard lock(mutex_);
  return find(address);
}

Allocation* GlobalMemory::find(const std::byte* address) {
  const auto next = allocations_.upper_bound(const_cast<std::byte*>(address));
  if (next != allocations_.begin()) {
    Allocation& before = std::prev(next)->second;
    if (address < before.data + round_up(before.bytes) + kMargin) return &before;
  }
  if (next != allocations_.end() && address + kMargin >= next->first) return &next->second;
  return nullptr;
}

void GlobalMemory::share(void* memory) {
  const std::lock_guard lock(mutex_);
  Allocation& allocation = allocations_.find(static_cast<std::byte*>(memory))->second;
  allocation.shared = true;
  if (allocation.shadow != nullptr) allocation.shadow->set_written(0, allocation.bytes);
}

void GlobalMemory::written_by_host(void* to, std::size_t bytes) {
  if (!is_watching()) return;
  const std::lock_guard lock(mutex_);
  Allocation* const allocation = find(static_cast<std::byte*>(to));
  if (allocation != nullptr && allocation->shadow != nullptr)
    allocation->shadow->set_written(static_cast<std::byte*>(to) - allocation->data, bytes);
}

}  // namespace simt
