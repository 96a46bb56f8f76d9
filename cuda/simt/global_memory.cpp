#include "global_memory.h"

#include <cstdlib>
#include <cstring>

#include "shared_memory.h"
#include "watch.h"

namespace simt {
namespace {

constexpr std::size_t kMargin = 256;  // of every address that cudaMalloc returns, a multiple too
constexpr std::size_t kKeptFreed = std::size_t{64} << 20;  // bytes

constexpr std::size_t round_up(std::size_t bytes) {
  return (bytes + kMargin - 1) / kMargin * kMargin;
}

}  // namespace

GlobalMemory& GlobalMemory::instance() {
  static auto* const memory = new GlobalMemory;  // never destroyed: arrays may outlive the module
  return *memory;
}

std::byte* GlobalMemory::allocate(std::size_t bytes) {
  const std::size_t room = round_up(bytes) + 2 * kMargin;
  if (room < bytes) return nullptr;
  auto* const begin = static_cast<std::byte*>(std::aligned_alloc(kMargin, room));
  if (begin == nullptr) return nullptr;
  std::byte* const data = begin + kMargin;
  std::memset(data, kPoison, bytes);
  auto shadow = is_watching() ? std::make_unique<Shadow>(bytes) : nullptr;
  const std::lock_guard lock(mutex_);
  allocations_.emplace(data, Allocation{data, bytes, ++count_, false, std::move(shadow)});
  return data;
}

void GlobalMemory::free(void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(static_cast<std::byte*>(memory));
  if (found == allocations_.end() || found->second.freed) return;
  ++generation_;
  found->second.freed = true;
  found->second.shadow.reset();
  freed_.push_back(found->first);
  freed_bytes_ += found->second.bytes;
  while (!freed_.empty() && (freed_bytes_ > kKeptFreed || !is_watching())) {
    const auto oldest = allocations_.find(freed_.front());
    freed_.pop_front();
    freed_bytes_ -= oldest->second.bytes;
    std::free(oldest->first - kMargin);
    allocations_.erase(oldest);
  }
}

Allocation* GlobalMemory::around(const std::byte* address) {
  const std::lock_guard lock(mutex_);
  auto next = allocations_.upper_bound(const_cast<std::byte*>(address));
  if (next != allocations_.begin()) {
    Allocation& before = std::prev(next)->second;
    if (address < before.data + round_up(before.bytes) + kMargin) return &before;
  }
  if (next != allocations_.end() && address + kMargin >= next->first) return &next->second;
  return nullptr;
}

void GlobalMemory::written_by_host(void* to, std::size_t bytes) {
  if (!is_watching()) return;
  Allocation* const allocation = around(static_cast<std::byte*>(to));
  if (allocation != nullptr && allocation->shadow != nullptr)
    allocation->shadow->set_written(static_cast<std::byte*>(to) - allocation->data, bytes);
}

}  // namespace simt
