#include "shared_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace simt {
namespace {

constexpr std::size_t kArenaBytes = 1 << 20;  // both limits, and guards for 2000 scalars
constexpr std::size_t kGuardBytes = 128;      // a warp's row of floats
constexpr std::size_t kArrayAlignment = 128;
constexpr std::size_t kDynamicAlignment = 1024;  // the most that any copy instruction asks for

// Read as a float, a guard is NaN: what reads past an array shows in the result.
[[maybe_unused]] std::byte guard_byte(const std::byte* place) {
  return std::byte(reinterpret_cast<std::uintptr_t>(place) % 4 == 3 ? 0xff : 0xa5);
}

constexpr Site kUndeclared = {"of the launch", {"?", 0}};

constexpr std::size_t round_up(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

// AddressSanitizer stops at the very access; without it guards are filled, and read afterwards.
void lock_guard_bytes(std::byte* guard, std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(guard, bytes);
#else
  for (std::byte* p = guard; p != guard + bytes; ++p) *p = guard_byte(p);
#endif
}

void unlock_all(std::byte* arena) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(arena, kArenaBytes);
#else
  static_cast<void>(arena);
#endif
}

bool is_intact(const std::byte* guard, std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  static_cast<void>(guard);
  return bytes > 0;
#else
  for (const std::byte* p = guard; p != guard + bytes; ++p)
    if (*p != guard_byte(p)) return false;
  return true;
#endif
}

}  // namespace

SharedMemory::SharedMemory()
    : arena_(static_cast<std::byte*>(std::aligned_alloc(kDynamicAlignment, kArenaBytes)),
             [](void* memory) {
               unlock_all(static_cast<std::byte*>(memory));
               std::free(memory);
             }) {
  if (arena_ == nullptr) throw std::bad_alloc();
}

void SharedMemory::reset(std::size_t dynamic_bytes) {
  unlock_all(arena_.get());
  lock_guard_bytes(arena_.get(), kDynamicAlignment);
  arrays_.clear();
  used_ = kDynamicAlignment;
  static_bytes_ = 0;
  place(kUndeclared, nullptr, dynamic_bytes, kDynamicAlignment);
}

void SharedMemory::poison() {
  for (const Array& array : arrays_) std::memset(array.data, kPoison, array.bytes);
}

void* SharedMemory::array(const Site& declaration, const void* identity, std::size_t bytes,
                          std::size_t alignment) {
  for (const Array& array : arrays_)
    if (array.identity == identity) return array.data;
  static_bytes_ = round_up(static_bytes_, alignment) + bytes;
  const std::size_t room = bytes + 2 * kGuardBytes + alignment;
  if (static_bytes_ > kStaticSharedBytes || used_ + room > kArenaBytes) return nullptr;
  if (static_bytes_ + arrays_.front().bytes > kDynamicSharedBytes) return nullptr;
  place(declaration, identity, bytes, std::max(alignment, kArrayAlignment));
  return arrays_.back().data;
}

void* SharedMemory::dynamic_array(const Site& declaration) {
  arrays_.front().declaration = declaration;
  return arrays_.front().data;
}

void SharedMemory::place(const Site& declaration, const void* identity, std::size_t bytes,
                         std::size_t alignment) {
  std::byte* const data = arena_.get() + round_up(used_, alignment);
  const std::size_t guard_bytes = round_up(bytes, kArrayAlignment) - bytes + kGuardBytes;
  lock_guard_bytes(data + bytes, guard_bytes);
  std::memset(data, kPoison, bytes);
  used_ = static_cast<std::size_t>(data - arena_.get()) + bytes + guard_bytes;
  arrays_.push_back({declaration, identity, data, bytes, guard_bytes});
}

bool SharedMemory::holds(const std::byte* address) const {
  return address >= arena_.get() && address < arena_.get() + kArenaBytes;
}

std::size_t SharedMemory::bytes() const { return kArenaBytes; }

// The last array that begins at an address or before.
const SharedMemory::Array* SharedMemory::before(const std::byte* address) const {
  const Array* found = nullptr;
  for (const Array& array : arrays_)
    if (address >= array.data && (found == nullptr || array.data > found->data)) found = &array;
  return found;
}

bool SharedMemory::declares(const std::byte* address, std::size_t bytes) const {
  const Array* const array = before(address);
  return array != nullptr && address + bytes <= array->data + array->bytes;
}

std::string SharedMemory::name(const std::byte* address) const {
  const Array* const array = before(address);
  if (array == nullptr) return "before all __shared__ arrays";
  const auto byte = static_cast<std::size_t>(address - array->data);
  const std::string whole = std::string("__shared__ array ") + array->declaration.operation;
  if (byte < array->bytes) return "byte " + std::to_string(byte) + " of " + whole;
  return std::to_string(byte - array->bytes) + " bytes behind the end of " + whole;
}

std::optional<SharedMemory::Overrun> SharedMemory::overrun() const {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (is_intact(arrays_[i].data + arrays_[i].bytes, arrays_[i].guard_bytes)) continue;
    const bool undeclared = arrays_[i].declaration.location.line == 0;
    if (undeclared && i + 1 < arrays_.size())
      return Overrun{"before the start", arrays_[i + 1].declaration};
    return Overrun{"past the end", arrays_[i].declaration};
  }
  return std::nullopt;
}

}  // namespace simt
