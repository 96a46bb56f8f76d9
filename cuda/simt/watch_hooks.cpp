// What a compiler calls before each access to memory when it is told -fsanitize=thread, and where a
// piece of code begins that has no branch, with -fsanitize-coverage=trace-pc. Kernels that are compiled
// so, and linked without that sanitizer's library, call these instead.
#if !defined(__SANITIZE_THREAD__)
#include <cstdint>
#include <cstring>

#include "block.h"

namespace simt {
namespace {

void touch(const volatile void* address, std::size_t bytes, Kind kind, std::size_t multiple,
           const void* pc, bool is_half = false) {
  Block* const block = Block::running();
  if (block == nullptr || bytes == 0) return;
  auto* const place = static_cast<std::byte*>(const_cast<void*>(address));
  block->touch({place, bytes, kind, multiple, pc, is_half});
}

void poll(const volatile void* address, std::size_t bytes, std::size_t multiple, const void* pc) {
  touch(address, bytes, Kind::kRead, multiple, pc);
  if (Block* const block = Block::running()) block->poll(const_cast<const void*>(address), pc);
}

}  // namespace
}  // namespace simt

#define EXPORTED extern "C" [[gnu::visibility("default")]]
#define PC __builtin_return_address(0)

EXPORTED void __tsan_init() { simt::start_watching(); }
EXPORTED void __tsan_func_entry(void*) {}
EXPORTED void __tsan_func_exit() {}
EXPORTED void __sanitizer_cov_trace_pc() {
  if (simt::Block* const block = simt::Block::running()) block->begin_piece(PC);
}
EXPORTED void __tsan_vptr_update(void*, void*) {}
EXPORTED void __tsan_vptr_read(void*) {}

EXPORTED void __tsan_read_range(void* address, std::size_t bytes) {
  simt::touch(address, bytes, simt::Kind::kRead, 1, PC);
}
EXPORTED void __tsan_write_range(void* address, std::size_t bytes) {
  simt::touch(address, bytes, simt::Kind::kWrite, 1, PC);
}

// By clang.
EXPORTED void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  simt::touch(from, bytes, simt::Kind::kRead, 1, PC);
  simt::touch(to, bytes, simt::Kind::kWrite, 1, PC);
  return std::memcpy(to, from, bytes);
}
EXPORTED void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  simt::touch(from, bytes, simt::Kind::kRead, 1, PC);
  simt::touch(to, bytes, simt::Kind::kWrite, 1, PC);
  return std::memmove(to, from, bytes);
}
EXPORTED void* __tsan_memset(void* to, int byte, std::size_t bytes) {
  simt::touch(to, bytes, simt::Kind::kWrite, 1, PC);
  return std::memset(to, byte, bytes);
}

#define ACCESSES(bytes)                                                 \
  EXPORTED void __tsan_read##bytes(void* address) {                     \
    simt::touch(address, bytes, simt::Kind::kRead, bytes, PC);          \
  }                                                                     \
  EXPORTED void __tsan_write##bytes(void* address) {                    \
    simt::touch(address, bytes, simt::Kind::kWrite, bytes, PC);         \
  }                                                                     \
  EXPORTED void __tsan_volatile_read##bytes(void* address) {            \
    simt::poll(address, bytes, bytes, PC);                              \
  }                                                                     \
  EXPORTED void __tsan_unaligned_volatile_read##bytes(void* address) {  \
    simt::poll(address, bytes, 1, PC);                                  \
  }                                                                     \
  EXPORTED void __tsan_unaligned_volatile_write##bytes(void* address) { \
    simt::touch(address, bytes, simt::Kind::kWrite, 1, PC);             \
  }                                                                     \
  EXPORTED void __tsan_volatile_write##bytes(void* address) {           \
    simt::touch(address, bytes, simt::Kind::kWrite, bytes, PC);         \
  }                                                                     \
  EXPORTED void __tsan_unaligned_read##bytes(void* address) {           \
    simt::touch(address, bytes, simt::Kind::kRead, 1, PC);              \
  }                                                                     \
  EXPORTED void __tsan_unaligned_write##bytes(void* address) {          \
    simt::touch(address, bytes, simt::Kind::kWrite, 1, PC);             \
  }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

// These do what they are asked as well.
#define ATOMIC(T, address, ...) \
  (simt::touch(address, sizeof(T), simt::Kind::kAtomic, sizeof(T), PC __VA_OPT__(, ) __VA_ARGS__))
#define UPDATE(bits, T, name)                                                        \
  EXPORTED T __tsan_atomic##bits##_fetch_##name(volatile T* address, T value, int) { \
    ATOMIC(T, address);                                                              \
    return __atomic_fetch_##name(address, value, __ATOMIC_RELAXED);                  \
  }
#define EXCHANGES(bits, T, strength, weak)                                                         \
  EXPORTED int __tsan_atomic##bits##_compare_exchange_##strength(volatile T* address, T* expected, \
                                                                 T value, int, int) {              \
    ATOMIC(T, address);                                                                            \
    return __atomic_compare_exchange_n(address, expected, value, weak, __ATOMIC_RELAXED,           \
                                       __ATOMIC_RELAXED);                                          \
  }
#define ATOMICS(bits, T)                                                                          \
  EXPORTED T __tsan_atomic##bits##_load(const volatile T* address, int) {                         \
    ATOMIC(T, address, true); /* before the exchange that makes it an update */                   \
    return __atomic_load_n(address, __ATOMIC_RELAXED);                                            \
  }                                                                                               \
  EXPORTED void __tsan_atomic##bits##_store(volatile T* address, T value, int) {                  \
    ATOMIC(T, address);                                                                           \
    __atomic_store_n(address, value, __ATOMIC_RELAXED);                                           \
  }                                                                                               \
  EXPORTED T __tsan_atomic##bits##_exchange(volatile T* address, T value, int) {                  \
    ATOMIC(T, address);                                                                           \
    return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);                                 \
  }                                                                                               \
  EXPORTED T __tsan_atomic##bits##_compare_exchange_val(volatile T* address, T expected, T value, \
                                                        int, int) {                               \
    ATOMIC(T, address);                                                                           \
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED,               \
                                __ATOMIC_RELAXED);                                                \
    return expected;                                                                              \
  }                                                                                               \
  UPDATE(bits, T, add)                                                                            \
  UPDATE(bits, T, sub)                                                                            \
  UPDATE(bits, T, and)                                                                            \
  UPDATE(bits, T, or)                                                                             \
  UPDATE(bits, T, xor)                                                                            \
  EXCHANGES(bits, T, strong, false)                                                               \
  EXCHANGES(bits, T, weak, true)
ATOMICS(8, std::uint8_t)
ATOMICS(16, std::uint16_t)
ATOMICS(32, std::uint32_t)
ATOMICS(64, std::uint64_t)

#endif
