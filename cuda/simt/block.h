// The block that runs: its threads, each on a fiber, and where each of them waits.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "async_copies.h"
#include "counts.h"
#include "fiber.h"
#include "private_memory.h"
#include "schedule.h"
#include "shared_memory.h"
#include "simt.h"
#include "watch.h"

namespace simt {

inline constexpr int kMaxBlockThreads = 1024;
inline constexpr int kMaxBlockWarps = kMaxBlockThreads / kWarpLanes;

// Where a lane waits. The last three matter at a warp operation only.
struct Wait {
  const Site* site;     // on the stack of the thread, which stays as it is while the thread waits
  Mask mask;            // the lanes that it names
  std::uint64_t value;  // what it brings
  int source;           // the lane whose value it asks for, kEverybody for a vote
};
inline constexpr int kEverybody = -1;

constexpr Mask bit(int lane) { return Mask{1} << lane; }

// A lane that has not returned runs or is in exactly one of the sets from `ready` on.
struct Warp {
  int first_thread;
  Mask live;   // not returned
  Mask fresh;  // ready, and not started
  Mask ready;
  Mask at_barrier;
  Mask at_meeting;      // at a shuffle, vote or __syncwarp
  Mask at_active_mask;  // at __activemask, until the others can run no further
  Mask aside;           // in a spin loop, until all others have had a turn
  std::array<Wait, kWarpLanes> waits;
  std::array<std::uint64_t, kWarpLanes> answers;
};

class Block {
 public:
  // The block whose kernel runs on this host thread; nullptr outside a kernel.
  static Block* running() { return running_; }

  // For the launch. A report is empty unless something went wrong, which ends the launch.
  void begin(const LaunchShape& shape, ThreadBody body, Range closure, const Schedule& schedule);
  // Takes one turn after another, for a while. Several host threads may, with a Block each.
  using Turns = std::atomic<std::uint64_t>;  // given away so far
  void run_blocks(Turns& turns);
  std::uint64_t blocks() const { return blocks_; }
  std::uint64_t turn() const { return turn_; }  // the last it took
  bool has_failed() const { return out_of_memory_ || !report_.empty(); }
  bool is_out_of_memory() const { return out_of_memory_; }
  void forget_copies();  // that nobody waited for
  const std::string& report() const { return report_; }

  // For the threads.
  void sync_block(const Site& site, bool yes);
  void meet(const Site& site, Mask mask, std::uint64_t value, int source);
  void sync_active_lanes(const Site& site);
  int lane() const { return lane_; }
  BlockVote block_vote() const { return released_; }
  std::uint64_t warp_answer() const { return warp_->answers[lane_]; }
  void stand_aside(const Site& site);
  void poll(const void* address, const void* pc);
  void* shared_array(const Site& declaration, const void* identity, std::size_t bytes,
                     std::size_t alignment);
  void* dynamic_shared_array(const Site& declaration);
  void touch(const Touch& touch) { watch_.touch(*this, touch); }
  void fence() { watch_.fence(); }
  AsyncCopies& async_copies() {
    copies_ = true;
    return async_copies_[thread()];
  }
  void copy_async(const AsyncCopy& copy);
  void wait_for_copies(int pending);
  void count(const Touch& touch, bool shared, std::uintptr_t address) {
    if (!counter_.is_on()) return;
    constexpr std::size_t kMost = 16;  // bytes, in one instruction
    for (std::size_t byte = 0; byte < touch.bytes; byte += kMost)
      counter_.add(touch.pc, shared, touch.kind, lane_, address + byte,
                   std::min(kMost, touch.bytes - byte));
  }
  void begin_piece(const void* pc) {
    if (counter_.is_on()) counter_.begin_piece(pc, lane_);
  }
  void end_counting() {
    if (counter_.is_on()) counter_.end_launch(shape_, blocks_);
  }

  // For who watches them.
  int thread() const { return warp_->first_thread + lane_; }
  const SharedMemory& shared_memory() const { return shared_memory_; }
  bool has_on_stack(const std::byte* address) { return fiber()->holds(address); }
  bool has_as_argument(const std::byte* address) const { return closure_.holds(address); }
  std::string name_of(std::uint64_t turn) const;  // of the block that has it: "block (3, 0, 0)"

  // What went wrong, in words, and the end of the thread that found it. Nothing that owns memory
  // may be in scope at stop(), which does not come back.
  void note(Location where, const std::string& what, const std::string& details);
  void note_width(const Site& site, int width);
  [[noreturn]] void stop();

 private:
  // block.cpp: who runs when
  uint3 index_of(std::uint64_t turn) const;
  void run(uint3 index);
  void run_warp(Warp& warp);
  Fiber*& fiber() { return thread_fibers_[warp_->first_thread + lane_]; }
  void suspend() { pass_turn(*fiber()); }
  void pass_turn(Fiber& from);
  bool enter(int lane);
  static void run_threads(void* block);
  bool enter_fresh_lane();
  void finish_thread();
  void release_barrier();
  bool is_stuck();
  void go_aside();
  bool recall_threads_aside();

  void perform(const AsyncCopy& copy);

  // warp.cpp: how lanes meet
  void complete_meeting(Warp& warp, int lane);
  bool answer_active_mask(Warp& warp);

  // report.cpp: what to say
  void note_divergent_barrier();
  void note_deadlock();
  void note_overrun(const SharedMemory::Overrun& overrun);
  void note_room(const Site& declaration);
  void note_spinning(const Site& site);
  void note_polling(const void* pc);
  void note_own_mask(const Site& site, Mask mask);
  void note_mismatch(const Warp& warp, int lane);
  void note_stray_read(const Warp& warp, Mask group);

  [[gnu::tls_model("initial-exec")]] static constinit thread_local Block* running_;

  LaunchShape shape_{};
  ThreadBody body_ = nullptr;
  Range closure_{};
  Schedule schedule_;
  SharedMemory shared_memory_;
  Watch watch_;
  Counter counter_;
  std::string report_;
  bool out_of_memory_ = false;  // the host's, while a thread ran: there may be none for a report
  std::uint64_t blocks_ = 0;    // of the grid
  std::uint64_t turn_ = 0;      // of the block that runs

  int thread_count_ = 0;
  int warp_count_ = 0;
  std::array<uint3, kMaxBlockThreads> thread_indices_;
  std::array<Warp, kMaxBlockWarps> warps_;
  std::array<Fiber*, kMaxBlockThreads> thread_fibers_;
  std::array<AsyncCopies, kMaxBlockThreads> async_copies_;
  bool copies_ = false;  // any of them in this block
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> free_fibers_;
  Fiber host_;  // where the scheduler runs

  // The thread that runs, and the lanes of its warp that have their turn in this round.
  Warp* warp_ = nullptr;
  int lane_ = 0;
  Mask round_ = 0;

  int live_threads_ = 0;
  BlockVote arrived_{};            // at the barrier
  BlockVote released_{};           // what the last barrier answers
  const Site* barrier_ = nullptr;  // where the first of them waits
  bool barrier_diverges_ = false;
  int turns_aside_ = 0;  // since a thread last got on

  // What was read last that is volatile, and how often in a row.
  struct Poll {
    int thread;
    const void *address, *pc;
    bool operator==(const Poll&) const = default;
  };
  Poll poll_{};
  int polls_ = 0;
};

inline bool is_same_text(const char* s, const char* t) { return s == t || std::strcmp(s, t) == 0; }
inline bool same_site(const Site& a, const Site& b) {
  return a.location.line == b.location.line && is_same_text(a.operation, b.operation) &&
         is_same_text(a.location.file, b.location.file);
}

// Makes `lane` the one that runs. True if it has run before.
inline bool Block::enter(int lane) {
  const bool started = (warp_->fresh & bit(lane)) == 0;
  lane_ = lane;
  warp_->ready &= ~bit(lane);
  warp_->fresh &= ~bit(lane);
  threadIdx = thread_indices_[warp_->first_thread + lane];
  return started;
}

// Lets the next lane of the round run or, after the last, the scheduler. Comes back when it is
// again the turn of `from`.
inline void Block::pass_turn(Fiber& from) {
  if (round_ == 0) {
    from.switch_to(host_);
    return;
  }
  if (!enter(schedule_.take(round_))) {
    fiber() = free_fibers_.back();
    free_fibers_.pop_back();
    fiber()->start(&Block::run_threads, this);
  }
  from.switch_to(*fiber());
}

}  // namespace simt
