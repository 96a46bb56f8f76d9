#pragma once
#include <stddef.h>
#include <stdint.h>

#include <utility>

// Memory for outputs and scratch, kept for the next call: glibc gives large blocks back at every
// free, and then the page faults of the next one cost more than the kernel that fills it.
namespace baregrad::pool {

// A block of at least `bytes`, aligned to 64 so that a vector never straddles a cache line, and one of
// 64 KiB or more to a page.
// Throws std::bad_alloc when there is no memory, after giving back all that is kept.
void* take(size_t bytes);
void give(void* block) noexcept;

// A block for as long as this lives; none for 0 bytes.
class Block {
 public:
  explicit Block(int64_t bytes) : data_(bytes ? take(size_t(bytes)) : nullptr) {}
  ~Block() {
    if (data_) give(data_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void* data() const { return data_; }
  void* release() { return std::exchange(data_, nullptr); }  // whoever takes it gives it back

 private:
  void* data_;
};

struct Statistics {
  size_t in_use, kept;  // bytes
  size_t hits, misses;  // blocks that were kept, blocks that came from the system
};
Statistics statistics();

// Give all kept blocks back to the system.
void trim() noexcept;

}  // namespace baregrad::pool
