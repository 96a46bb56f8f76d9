// Watches every access to memory of kernels that were compiled with -fsanitize=thread, whose calls
// come here instead of to that sanitizer's library: watch_hooks.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "counts.h"
#include "private_memory.h"
#include "shadow.h"
#include "simt.h"

namespace simt {

class Block;
class SharedMemory;
struct Allocation;

// Whether kernels that are watched were loaded.
[[gnu::visibility("default")]] bool is_watching();
void start_watching();

// An access as it happens.
struct Touch {
  std::byte* address;
  std::size_t bytes;
  Kind kind;
  std::size_t multiple;  // of which the address is one, says the kernel
  const void* pc;        // behind the instruction
  bool is_half = false;  // of an update that is counted with its other half
};

// What one block did, and in which order.
class Watch {
 public:
  void begin_launch(std::uint64_t blocks);
  void begin_block(std::uint64_t turn);  // the number of its turn in the launch

  // What orders accesses: barriers, __syncwarp, and __threadfence before an atomic.
  void barrier() { ++epoch_; }
  void join(int warp, Mask lanes);
  void fence() { fenced_ = true; }

  void touch(Block& block, const Touch& touch);

 private:
  // Whose memory was touched: a shared array, what cudaMalloc gave, or nobody's.
  struct Place {
    bool shared = false;
    const Allocation* allocation = nullptr;
    std::size_t byte = 0;      // from where either begins
    Shadow* shadow = nullptr;  // none: nobody watched when it was given
  };

  // Each of these is false where it has noted something.
  bool is_fine(Block& block, const Touch& touch);
  bool find(Block& block, const Touch& touch, Place& place);
  bool look(Block& block, const Touch& touch, const Place& place, std::size_t number,
            unsigned bytes);

  bool is_private(const std::byte* address);
  bool comes_after(const Access& before, const Access& now) const;
  void meet_other_blocks(const std::byte* atomic);

  void note(Block& block, const Touch& touch, const char* what, const std::string& details);
  void note_race(Block& block, const Touch& touch, const Place& place, const Access& before);
  std::string name(Block& block, const std::byte* address, const Allocation* memory) const;

  // Blocks are counted from the first that ever ran: those of the launch, and the one that runs.
  std::uint32_t first_block_ = 0, count_ = 0, block_ = 0;
  std::uint32_t epoch_ = 0;
  bool fenced_ = false;

  // For each lane of each warp, how many __syncwarps of each lane it knows of.
  using Clocks = std::array<std::array<std::uint16_t, kWarpLanes>, kWarpLanes>;
  std::array<Clocks, kWarpLanes> clocks_{};
  bool joined_ = false;  // any of them in this block

  // Blocks that came to an atomic after a fence, and those that this block has heard of.
  std::unordered_map<const std::byte*, std::vector<std::uint32_t>> published_;
  std::unordered_set<std::uint32_t> heard_of_;

  std::vector<Range> private_;  // where somebody was in this launch
  std::unique_ptr<Shadow> shared_;
  Allocation* last_ = nullptr;  // that was touched
  std::uint64_t generation_ = 0;
};

}  // namespace simt
