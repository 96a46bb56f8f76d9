// What the memory of a device would have to do for the accesses of a kernel, and which lanes ran what.
// Lanes that come to the same instruction for the same time, between two waits of their warp, make one
// request, as they do where they run in lock-step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "simt.h"
#include "source_line.h"

namespace simt {

enum class Kind : std::uint8_t { kRead, kWrite, kAtomic };

inline constexpr std::size_t kSectorBytes = 32;  // what global memory moves at a time
inline constexpr std::size_t kBanks = 32;        // of shared memory, 4 bytes each, in turns

// Of one instruction, or all of a line.
struct Counts {
  std::uint64_t requests = 0;      // by warps
  std::uint64_t lanes = 0;         // that took part in them
  std::uint64_t bytes = 0;         // that these asked for
  std::uint64_t transactions = 0;  // sectors of global memory; passes through the banks of shared
  std::uint64_t least = 0;         // that would do for as many bytes, were they side by side

  void add(const Counts& other);
};

struct LineCounts {
  std::string file;
  int line;
  bool shared;
  Kind kind;
  Counts counts;
};

// A piece of a kernel without a branch, which begins behind the call that `place` names.
struct PieceCounts {
  SourceLine line;
  CodePlace place;
  std::uint64_t turns;  // in which a warp ran it
  std::uint64_t lanes;  // that took part in them
};

struct KernelCounts {
  std::string name;
  std::uint64_t launches = 0, blocks = 0;
  unsigned threads = 0;  // of a block, in the last launch
  std::vector<LineCounts> lines;
  std::vector<PieceCounts> pieces;
};

// Whether watched kernels are counted, what was counted since, and how that is forgotten.
[[gnu::visibility("default")]] void set_counting(bool yes);
[[gnu::visibility("default")]] std::vector<KernelCounts> counted();
[[gnu::visibility("default")]] void forget_counted();

// Counts what one block does after another.
class Counter {
 public:
  void begin_launch();
  void add(const void* pc, bool shared, Kind kind, int lane, std::uintptr_t address,
           std::size_t bytes);
  void begin_piece(const void* pc, int lane);
  void end_round();  // of a warp, all of whose lanes wait
  void end_launch(const LaunchShape& shape, std::uint64_t blocks);
  bool is_on() const { return on_; }

 private:
  struct Request {
    Mask lanes = 0;
    std::size_t bytes = 0;  // of each lane
    std::array<std::uintptr_t, kWarpLanes> addresses;
  };
  struct Instruction {
    const void* pc;
    bool shared;
    Kind kind;
    std::array<std::uint32_t, kWarpLanes> times{};  // that each lane came here in this round
    std::vector<Request> requests;                  // of this round
    Counts counts;
  };
  struct Piece {
    const void* pc;
    std::array<std::uint32_t, kWarpLanes> times{};  // of each lane in this round
    bool met = false;
    std::uint64_t turns = 0, lanes = 0;
  };
  static Counts count(const Instruction& instruction, const Request& request);

  bool on_ = false;
  std::vector<Instruction> instructions_;
  std::unordered_map<std::uintptr_t, std::size_t> places_;  // in there, by pc and kind of memory
  std::vector<std::size_t> met_;                            // in this round
  std::vector<Piece> pieces_;
  std::unordered_map<const void*, std::size_t> piece_places_;
  std::vector<std::size_t> met_pieces_;
};

}  // namespace simt
