#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <bit>
#include <mutex>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace baregrad::pool {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kKeepAtMost = size_t(2) << 30;  // bytes; what would be more goes to the system

// Blocks from kLarge on begin at a page. A CPU compares the last 12 bits of addresses at first: were an
// output a little further in its page than an input, each load would wait for the store before it, of
// which it seems to read a part. Large arrays of NumPy begin 16 bytes behind a page.
constexpr size_t kLarge = size_t(64) << 10, kPage = 4096;

// Stands one alignment unit before each block.
struct Header {
  size_t size_class;
  Header* next;  // while kept: the next kept block of the class
};
static_assert(sizeof(Header) <= kAlignment);

// Class c holds 64, 80, 96, 112, 128, 160, ... bytes: four sizes for each power of two, so that of
// more than 64 bytes at most a fifth is waste.
size_t class_of(size_t bytes) {
  if (bytes <= 64) return 0;
  const size_t power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t quarter = (bytes - 1) >> (power - 2) & 3;
  return 4 * (power - 6) + quarter + 1;
}

size_t bytes_of(size_t size_class) {
  const size_t steps = size_class + 3;
  return (steps % 4 + 5) << (steps / 4 + 3);
}

// Asks for pages of 2 MiB, which Linux gives to those who ask: with pages of 4 KiB a kernel waits for
// where the pages of a large array are (the TLB holds a few thousand). A large array begins at a page.
void ask_for_large_pages([[maybe_unused]] char* begin, [[maybe_unused]] char* end) {
#if defined(__linux__)
  constexpr size_t kLeastBytes = 4 << 20;
  if (begin + kLeastBytes <= end) madvise(begin, size_t(end - begin), MADV_HUGEPAGE);
#endif
}

// Bytes of room before a block of that size, with its header at their end.
size_t before(size_t size) { return size < kLarge ? kAlignment : kPage; }

char* block_of(Header* header) { return reinterpret_cast<char*>(header) + kAlignment; }
Header* header_of(void* block) {
  return reinterpret_cast<Header*>(static_cast<char*>(block) - kAlignment);
}

// The header of a new block, or null. aligned_alloc takes multiples of the alignment alone.
Header* allocate(size_t size) {
  const size_t first = before(size), bytes = (size + first - 1) / first * first + first;
  auto* room = static_cast<char*>(aligned_alloc(first, bytes));
  if (!room) return nullptr;
  ask_for_large_pages(room, room + bytes);
  return header_of(room + first);
}

void deallocate(Header* header) noexcept {
  free(block_of(header) - before(bytes_of(header->size_class)));
}

// AddressSanitizer knows of whole blocks from the system alone; of one that is `size` bytes long,
// only the first `bytes` are anybody's.
void allow([[maybe_unused]] void* block, [[maybe_unused]] size_t bytes,
           [[maybe_unused]] size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + bytes, size - bytes);
#endif
}

struct Pool {
  std::mutex mutex;
  Header* kept[4 * 64] = {};
  Statistics statistics{};

  void trim() noexcept {
    for (Header*& first : kept)
      while (Header* header = first) {
        first = header->next;
        deallocate(header);
      }
    statistics.kept = 0;
  }
};

Pool& pool() {
  static Pool* instance = new Pool;  // never destroyed: arrays may outlive the module
  return *instance;
}

// In a child, the thread that holds the lock would not be there to let it go: fork without it.
const int registered = pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); },
                                      [] { pool().mutex.unlock(); });

}  // namespace

void* take(size_t bytes) {
  if (bytes > size_t(1) << 62) throw std::bad_alloc();
  const size_t size_class = class_of(bytes), size = bytes_of(size_class);
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  Header* header = p.kept[size_class];
  if (header) {
    p.kept[size_class] = header->next;
    p.statistics.kept -= size;
    ++p.statistics.hits;
  } else {
    header = allocate(size);
    if (!header) {
      p.trim();
      header = allocate(size);
      if (!header) throw std::bad_alloc();
    }
    ++p.statistics.misses;
    header->size_class = size_class;
  }
  p.statistics.in_use += size;
  void* block = block_of(header);
  allow(block, bytes, size);
  return block;
}

void give(void* block) noexcept {
  Header* header = header_of(block);
  const size_t size = bytes_of(header->size_class);
  allow(block, 0, size);
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  p.statistics.in_use -= size;
  if (p.statistics.kept + size > kKeepAtMost) {
    deallocate(header);
    return;
  }
  header->next = p.kept[header->size_class];
  p.kept[header->size_class] = header;
  p.statistics.kept += size;
}

Statistics statistics() {
  std::lock_guard lock(pool().mutex);
  return pool().statistics;
}

void trim() noexcept {
  std::lock_guard lock(pool().mutex);
  pool().trim();
}

}  // namespace baregrad::pool
