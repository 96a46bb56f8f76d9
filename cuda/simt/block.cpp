// The scheduler: a warp runs ahead until none of its lanes can go on, then the next one runs.
// Threads that race ahead this way show a missing barrier which turns of equal length would hide.
#include "block.h"

#include <algorithm>
#include <chrono>
#include <new>

// No fiber ever moves from one host thread to another, so these may be thread-local.
constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace simt {
namespace {

// Fruitless turns in spin loops, one after another, before a thread counts as stuck: about 30 ms.
constexpr int kMaxTurnsAside = 1 << 20;

// Reads of one volatile word in a row, after which a thread may be waiting for another to write it.
constexpr int kPatience = 16;

// Between two questions whether to stop a launch; short beside the 100 ms that a person notices.
constexpr std::chrono::milliseconds kWhile{5};

constexpr Mask lanes_below(int count) {
  return count >= kWarpLanes ? ~Mask{0} : (Mask{1} << count) - 1;
}

}  // namespace

constinit thread_local Block* Block::running_ = nullptr;

void Block::begin(const LaunchShape& shape, ThreadBody body, Range closure,
                  const Schedule& schedule) {
  shape_ = shape;
  body_ = body;
  closure_ = closure;
  schedule_ = schedule;
  blocks_ = std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  turn_ = 0;
  schedule_.restart(blocks_);
  report_.clear();
  out_of_memory_ = false;
  shared_memory_.reset(shape.shared_bytes);
  watch_.begin_launch(blocks_);
  counter_.begin_launch();

  const dim3 size = shape.block;
  thread_count_ = static_cast<int>(size.x * size.y * size.z);
  warp_count_ = (thread_count_ + kWarpLanes - 1) / kWarpLanes;
  for (unsigned i = 0; i < size.x * size.y * size.z; ++i)
    thread_indices_[i] = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};

  // Fibers that a failed launch left half-way are as good as new: starting one empties its stack.
  free_fibers_.clear();
  while (fibers_.size() < static_cast<std::size_t>(thread_count_))
    fibers_.push_back(std::make_unique<Fiber>(static_cast<unsigned>(fibers_.size())));
  for (const auto& fiber : fibers_) free_fibers_.push_back(fiber.get());
}

void Block::run_blocks(Turns& turns) {
  const dim3 grid = shape_.grid;
  blockDim = shape_.block;
  gridDim = grid;
  running_ = this;
  struct Scope {
    ~Scope() { running_ = nullptr; }
  } scope;
  using Clock = std::chrono::steady_clock;
  for (const auto end = Clock::now() + kWhile; !has_failed() && Clock::now() < end;) {
    const std::uint64_t turn = turns.fetch_add(1, std::memory_order_relaxed);
    if (turn >= blocks_) return;
    turn_ = turn;
    run(index_of(turn));
  }
  if (has_failed()) turns = blocks_;  // nobody takes another
}

uint3 Block::index_of(std::uint64_t turn) const {
  const dim3 grid = shape_.grid;
  const std::uint64_t block = schedule_.block(turn), row = block / grid.x;
  return {static_cast<unsigned>(block % grid.x), static_cast<unsigned>(row % grid.y),
          static_cast<unsigned>(row / grid.y)};
}

void Block::run(uint3 index) {
  blockIdx = index;
  shared_memory_.poison();
  watch_.begin_block(turn_);
  forget_copies();
  live_threads_ = thread_count_;
  arrived_ = {};
  barrier_diverges_ = false;
  turns_aside_ = 0;
  for (int w = 0; w < warp_count_; ++w) {
    Warp& warp = warps_[w];
    warp.first_thread = w * kWarpLanes;
    warp.live = warp.fresh = warp.ready = lanes_below(thread_count_ - warp.first_thread);
    warp.at_barrier = warp.at_meeting = warp.at_active_mask = warp.aside = 0;
  }

  while (live_threads_ > 0) {
    for (Mask warps = lanes_below(warp_count_); warps != 0;) {
      run_warp(warps_[schedule_.take(warps)]);
      if (has_failed()) return;
    }
    if (live_threads_ == 0 || recall_threads_aside()) continue;
    if (arrived_.voters < live_threads_) return note_deadlock();
    if (barrier_diverges_) return note_divergent_barrier();
    release_barrier();
  }

  if (const auto overrun = shared_memory_.overrun()) note_overrun(*overrun);
}

void Block::forget_copies() {
  if (copies_) std::ranges::for_each(async_copies_, &AsyncCopies::clear);
  copies_ = false;
}

void Block::run_warp(Warp& warp) {
  warp_ = &warp;
  do {
    while (warp.ready != 0) {
      round_ = warp.ready;
      pass_turn(host_);
      counter_.end_round();
      if (has_failed()) return;
    }
  } while (answer_active_mask(warp));
}

// A fiber whose thread has returned runs the next one that has not started: threads that never
// wait all share one stack and cost no switch.
void Block::run_threads(void* self) {
  Block& block = *static_cast<Block*>(self);
  do {
    bool threw = false;
    try {
      block.body_(block.closure_.begin);
    } catch (const std::bad_alloc&) {
      block.out_of_memory_ = true;
    } catch (...) {
      threw = true;  // to stop() here would never leave this handler
    }
    if (block.out_of_memory_) {
      block.round_ = 0;  // nobody else has a turn
      block.stop();
    }
    if (threw) {
      block.note(block.shape_.location, "a C++ exception left a thread", "");
      block.stop();
    }
    block.finish_thread();
  } while (block.enter_fresh_lane());
  Fiber& fiber = *block.fiber();
  block.free_fibers_.push_back(&fiber);
  block.pass_turn(fiber);
}

bool Block::enter_fresh_lane() {
  if (round_ == 0 || (round_ & ~warp_->fresh) != 0) return false;
  Fiber* const mine = fiber();
  enter(schedule_.take(round_));
  fiber() = mine;
  return true;
}

void Block::finish_thread() {
  Warp& warp = *warp_;
  warp.live &= ~bit(lane_);
  --live_threads_;
  turns_aside_ = 0;
  // A meeting does not wait for a lane that has returned, so this may have been the last obstacle.
  for (int lane = 0; warp.at_meeting >> lane != 0 && lane < kWarpLanes; ++lane)
    if ((warp.at_meeting & bit(lane)) != 0) complete_meeting(warp, lane);
}

void Block::sync_block(const Site& site, bool yes) {
  if (arrived_.voters == 0) barrier_ = &site;
  barrier_diverges_ |= !same_site(site, *barrier_);
  arrived_.yes += yes;
  ++arrived_.voters;
  turns_aside_ = 0;
  warp_->waits[lane_].site = &site;
  warp_->at_barrier |= bit(lane_);
  suspend();
}

// Threads that have returned are not waited for, as on every device since sm_70.
void Block::release_barrier() {
  watch_.barrier();
  released_ = arrived_;
  arrived_ = {};
  for (int w = 0; w < warp_count_; ++w) {
    warps_[w].ready |= warps_[w].at_barrier;
    warps_[w].at_barrier = 0;
  }
}

bool Block::is_stuck() { return ++turns_aside_ > kMaxTurnsAside; }

void Block::go_aside() {
  warp_->aside |= bit(lane_);
  suspend();
}

void Block::stand_aside(const Site& site) {
  if (is_stuck()) {
    note_spinning(site);
    stop();
  }
  go_aside();
}

void Block::poll(const void* address, const void* pc) {
  const Poll now{thread(), address, pc};
  polls_ = now == poll_ ? polls_ + 1 : 0;
  poll_ = now;
  if (polls_ < kPatience) return;
  if (is_stuck()) {
    note_polling(pc);
    stop();
  }
  go_aside();
}

bool Block::recall_threads_aside() {
  bool any = false;
  for (int w = 0; w < warp_count_; ++w) {
    any |= warps_[w].aside != 0;
    warps_[w].ready |= warps_[w].aside;
    warps_[w].aside = 0;
  }
  return any;
}

void* Block::shared_array(const Site& declaration, const void* identity, std::size_t bytes,
                          std::size_t alignment) {
  void* const array = shared_memory_.array(declaration, identity, bytes, alignment);
  if (array == nullptr) {
    note_room(declaration);
    stop();
  }
  return array;
}

void* Block::dynamic_shared_array(const Site& declaration) {
  return shared_memory_.dynamic_array(declaration);
}

// What kernels call.

void sync_block(const Site& site, bool yes) { Block::running()->sync_block(site, yes); }

BlockVote block_vote() { return Block::running()->block_vote(); }

// Atomics may also be called by host code, which has nobody to stand aside for.
void stand_aside(const Site& site) {
  if (Block* const block = Block::running()) block->stand_aside(site);
}

void fence() {
  if (Block* const block = Block::running()) block->fence();
}

void trap(const Site& site) {
  Block::running()->note(site.location, site.operation, "");
  Block::running()->stop();
}

void* shared_array(const Site& declaration, const void* identity, std::size_t bytes,
                   std::size_t alignment) {
  return Block::running()->shared_array(declaration, identity, bytes, alignment);
}

void* dynamic_shared_array(const Site& declaration) {
  return Block::running()->dynamic_shared_array(declaration);
}

}  // namespace simt
