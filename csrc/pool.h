#pragma once
#include <stddef.h>

// Memory for outputs and scratch, kept for the next call: glibc gives large blocks back at every
// free, and then the page faults of the next one cost more than the kernel that fills it.
namespace baregrad::pool {

// A block of at least `bytes`, aligned to 64 so that a vector never straddles a cache line.
// Throws std::bad_alloc when there is no memory, after giving back all that is kept.
void* take(size_t bytes);
void give(void* block) noexcept;

struct Statistics {
  size_t in_use, kept;  // bytes
  size_t hits, misses;  // blocks that were kept, blocks that came from the system
};
Statistics statistics();

// Give all kept blocks back to the system.
void trim() noexcept;

}  // namespace baregrad::pool
