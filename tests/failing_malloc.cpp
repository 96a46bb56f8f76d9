// An allocator to preload, which fails when it is told to: of the allocations that one library asks
// for, itself or through the C++ library, the n-th. It counts them, and those not yet freed.
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <string.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

struct Range {
  uintptr_t begin = 0, end = 0;
  bool has(const void* address) const { return uintptr_t(address) - begin < end - begin; }
};

Range watched, library;
std::atomic<int64_t> calls{0}, failing{0}, live{0};
thread_local bool inside = false;  // of the allocator, which is not counted

// The blocks that are counted: a table with open addressing, never more than half full.
constexpr size_t kPlaces = 1 << 20;
std::atomic<void*> blocks[kPlaces];
void* const kFreed = &watched;

std::atomic<void*>* place_of(void* block, void* wanted) {
  for (size_t i = uintptr_t(block) >> 4;; ++i) {
    std::atomic<void*>& place = blocks[i % kPlaces];
    void* const found = place.load();
    if (found == wanted || (!wanted && found == kFreed)) return &place;
    if (!found) return nullptr;
  }
}

void remember(void* block) {
  for (void* before = nullptr;;) {
    std::atomic<void*>* const place = place_of(block, nullptr);
    before = place->load();
    if ((!before || before == kFreed) && place->compare_exchange_strong(before, block)) break;
  }
  ++live;
}

void forget(void* block) {
  if (!block || live == 0) return;
  std::atomic<void*>* const place = place_of(block, block);
  if (!place) return;
  place->store(kFreed);
  --live;
}

bool is_asked_by_watched(const void* caller) {
  if (watched.has(caller)) return true;
  if (!library.has(caller)) return false;
  void* frames[16];
  const int depth = backtrace(frames, 16);
  for (int i = 2; i < depth; ++i) {
    if (watched.has(frames[i])) return true;
    if (!library.has(frames[i])) return false;
  }
  return false;
}

template <class Allocate>
void* allocate(const void* caller, const Allocate& allocate_really) {
  if (inside || watched.end == 0) return allocate_really();
  inside = true;
  const bool counted = is_asked_by_watched(caller);
  void* block = nullptr;
  if (!counted || ++calls != failing) block = allocate_really();
  if (counted && block) remember(block);
  inside = false;
  return block;
}

void* checked(void* block) {
  if (!block) throw std::bad_alloc();
  return block;
}

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

Range range_of(const char* part) {
  struct Search {
    const char* part;
    Range found;
  } search = {part, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        Search& s = *static_cast<Search*>(context);
        if (!strstr(info->dlpi_name, s.part)) return 0;
        s.found.begin = info->dlpi_addr;
        for (int i = 0; i < info->dlpi_phnum; ++i)
          if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            const auto& part = info->dlpi_phdr[i];
            const uintptr_t end = info->dlpi_addr + part.p_vaddr + part.p_memsz;
            if (end > s.found.end) s.found.end = end;
          }
        return 1;
      },
      &search);
  return search.found;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

// Count the allocations of the library whose path has this in it; false if there is none.
EXPORT bool failing_malloc_watch(const char* part) {
  void* frames[2];
  backtrace(frames, 2);  // the first call loads a library
  library = range_of("libstdc++");
  watched = range_of(part);
  return watched.end != 0;
}
// Count from 0 again, and fail the n-th call, none with 0.
EXPORT void failing_malloc_fail(int64_t n) {
  failing = n;
  calls = 0;
}
EXPORT int64_t failing_malloc_calls() { return calls; }
EXPORT int64_t failing_malloc_live() { return live; }

EXPORT void* malloc(size_t bytes) {
  return allocate(CALLER, [=] { return __libc_malloc(bytes); });
}
EXPORT void* calloc(size_t count, size_t bytes) {
  return allocate(CALLER, [=] { return __libc_calloc(count, bytes); });
}
EXPORT void* realloc(void* block, size_t bytes) {
  void* const moved = allocate(CALLER, [=] { return __libc_realloc(block, bytes); });
  if (moved && moved != block) forget(block);
  return moved;
}
EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
  return allocate(CALLER, [=] { return __libc_memalign(alignment, bytes); });
}
EXPORT int posix_memalign(void** block, size_t alignment, size_t bytes) {
  *block = allocate(CALLER, [=] { return __libc_memalign(alignment, bytes); });
  return *block ? 0 : 12;  // ENOMEM
}
EXPORT void free(void* block) {
  forget(block);
  __libc_free(block);
}

__attribute__((visibility("default"))) void* operator new(size_t bytes) {
  return checked(allocate(CALLER, [=] { return __libc_malloc(bytes ? bytes : 1); }));
}
__attribute__((visibility("default"))) void* operator new[](size_t bytes) {
  return checked(allocate(CALLER, [=] { return __libc_malloc(bytes ? bytes : 1); }));
}
__attribute__((visibility("default"))) void* operator new(size_t bytes,
                                                          std::align_val_t alignment) {
  return checked(allocate(CALLER, [=] { return __libc_memalign(size_t(alignment), bytes); }));
}
__attribute__((visibility("default"))) void* operator new(size_t bytes,
                                                          const std::nothrow_t&) noexcept {
  return allocate(CALLER, [=] { return __libc_malloc(bytes ? bytes : 1); });
}
