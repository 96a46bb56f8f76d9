// The shared memory of one block. Every array is poisoned before a block runs and stands between
// guards, bytes that nobody may write, which are looked at when the block has ended.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simt.h"

namespace simt {

inline constexpr std::size_t kStaticSharedBytes = 48 << 10;    // of __shared__ arrays
inline constexpr std::size_t kDynamicSharedBytes = 227 << 10;  // of a launch; all of it, on sm_90

inline constexpr int kPoison = 0xff;  // bytes of memory that nobody wrote: NaN as float or double

class SharedMemory {
 public:
  SharedMemory();  // throws std::bad_alloc

  // Before a launch: forgets all arrays but the dynamic one.
  void reset(std::size_t dynamic_bytes);

  // Before each block.
  void poison();

  // The array of that identity, made when first asked for; nullptr if the block has no room.
  void* array(const Site& declaration, const void* identity, std::size_t bytes,
              std::size_t alignment);
  void* dynamic_array(const Site& declaration);

  // Whether an address lies in this memory or in its guards, and whether so many bytes from there on
  // are those of one array.
  bool holds(const std::byte* address) const;
  bool declares(const std::byte* address, std::size_t bytes) const;
  std::size_t offset(const std::byte* address) const { return address - arena_.get(); }
  std::size_t bytes() const;
  std::string name(const std::byte* address) const;  // "byte 48 of __shared__ array tile"

  // What was written to where no array is: "past the end of __shared__ array tile"; or nothing.
  struct Overrun {
    const char* side;
    Site declaration;
  };
  std::optional<Overrun> overrun() const;

 private:
  struct Array {
    Site declaration;
    const void* identity;
    std::byte* data;
    std::size_t bytes;
    std::size_t guard_bytes;  // after the data
  };

  const Array* before(const std::byte* address) const;
  void place(const Site& declaration, const void* identity, std::size_t bytes,
             std::size_t alignment);

  std::unique_ptr<std::byte, void (*)(void*)> arena_;
  std::size_t used_ = 0;
  std::size_t static_bytes_ = 0;
  std::vector<Array> arrays_;  // the dynamic one first
};

}  // namespace simt
