// A launch: is its shape one that a device takes, then one block after another.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "block.h"
#include "graphs.h"
#include "last_error.h"
#include "report_text.h"

namespace simt {
namespace {

constexpr unsigned kMaxBlockDepth = 64;       // blockDim.z
constexpr unsigned kMaxGridWidth = 1u << 31;  // gridDim.x, exclusive
constexpr unsigned kMaxGridHeight = 65535;    // gridDim.y and z

bool fits(const dim3& block) {
  const auto [x, y, z] = block;
  if (x == 0 || y == 0 || z == 0 || z > kMaxBlockDepth) return false;
  return x <= kMaxBlockThreads && y <= kMaxBlockThreads && x * y * z <= kMaxBlockThreads;
}

bool is_grid(const dim3& grid) {
  const auto [x, y, z] = grid;
  if (x == 0 || y == 0 || z == 0 || x >= kMaxGridWidth) return false;
  return y <= kMaxGridHeight && z <= kMaxGridHeight;
}

std::string text(const dim3& size) {
  return std::to_string(size.x) + " x " + std::to_string(size.y) + " x " + std::to_string(size.z);
}

// Whether a device takes such a launch; if not, the error of it.
bool is_taken(const LaunchShape& shape) {
  const auto refuse = [&](cudaError_t error, const char* what, const std::string& figures) {
    report(error, text(shape.location) + ": invalid " + what + " of the launch of " + shape.kernel +
                      ": " + figures);
    return false;
  };
  if (!fits(shape.block))
    return refuse(
        cudaErrorInvalidConfiguration, "configuration argument",
        "blocks of " + text(shape.block) + " threads, expected 1 to 1024, and at most 64 along z");
  if (!is_grid(shape.grid))
    return refuse(cudaErrorInvalidConfiguration, "configuration argument",
                  "a grid of " + text(shape.grid) +
                      " blocks, expected 1 or more, and at most 65535 along y and z");
  if (shape.shared_bytes > kDynamicSharedBytes)
    return refuse(cudaErrorInvalidValue, "argument",
                  std::to_string(shape.shared_bytes) +
                      " bytes of dynamic shared memory, expected at most " +
                      std::to_string(kDynamicSharedBytes));
  return true;
}

// One launch runs at a time, from whichever host thread. Blocks and their fibers are kept for the
// next ones: there are several where a launch begins while another asks whether to stop.
struct Device {
  std::mutex mutex;
  std::list<Block> idle;
  Schedule schedule;
  std::string rejected_schedule;

  Device() {
    const char* const asked = std::getenv("BAREGRAD_SIM_SCHEDULE");
    if (asked != nullptr && !schedule.parse(asked)) rejected_schedule = asked;
  }
};

Device& device() {
  static Device device;
  // A child that was forked in the middle of a launch would wait for it for ever: fork after it.
  static std::mutex& mutex = device.mutex;
  [[maybe_unused]] static const int registered =
      pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
  return device;
}

// A block for one launch, under the lock of the device.
class Borrowed {
 public:
  explicit Borrowed(Device& device) : device_(device) {
    if (device.idle.empty()) device.idle.emplace_back();
    block_.splice(block_.begin(), device.idle, device.idle.begin());
  }
  ~Borrowed() {
    block_.front().forget_copies();
    device_.idle.splice(device_.idle.begin(), block_);
  }
  Block* operator->() { return &block_.front(); }
  Block& operator*() { return block_.front(); }

 private:
  Device& device_;
  std::list<Block> block_;
};

std::atomic<bool (*)()> question{[] { return false; }};
std::atomic<int> host_threads{std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};

// True if there are blocks left. The threads are over when this returns: who is asked then may fork.
bool run_for_a_while(std::list<Borrowed>& blocks, Block::Turns& turns) {
  {
    std::vector<std::jthread> helpers;
    try {
      for (auto other = std::next(blocks.begin()); other != blocks.end(); ++other)
        helpers.emplace_back([&turns, other] { (*other)->run_blocks(turns); });
    } catch (const std::system_error&) {  // no more threads: fewer do it
    }
    blocks.front()->run_blocks(turns);
  }
  return turns < blocks.front()->blocks();
}

// Of those whose blocks failed the one whose turn was first, or any.
Block& first_that_failed(std::list<Borrowed>& blocks) {
  Block* first = &*blocks.front();
  for (Borrowed& other : blocks)
    if (other->has_failed() && (!first->has_failed() || other->turn() < first->turn()))
      first = &*other;
  return *first;
}

// Orders by a mistyped name would test less than was asked for, in silence.
std::string schedule_report(const std::string& rejected) {
  return "BAREGRAD_SIM_SCHEDULE is \"" + rejected +
         "\", expected \"forward\", \"reverse\" or \"random:<seed>\"";
}

}  // namespace

std::string last_report() { return last_error().report; }

void set_host_threads(int count) { host_threads = std::max(1, count); }

void ask_between_blocks(bool (*stop)()) { question = stop; }

bool set_schedule(const char* name) {
  Device& simulated = device();
  const std::lock_guard lock(simulated.mutex);
  if (!simulated.schedule.parse(name)) return false;
  simulated.rejected_schedule.clear();
  return true;
}

std::string schedule() {
  Device& simulated = device();
  const std::lock_guard lock(simulated.mutex);
  return simulated.schedule.name();
}

void launch(const LaunchShape& shape, ThreadBody body, const void* closure, std::size_t bytes,
            cudaStream_t stream) noexcept {
  const auto* const begin = static_cast<const std::byte*>(closure);
  if (is_capturing(stream)) {
    try {
      // Aligned as new aligns, which is enough for what a closure holds.
      const auto copy = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
      write_down(stream, [=] { launch(shape, body, copy->data(), bytes, nullptr); });
    } catch (const std::bad_alloc&) {
      remember(cudaErrorMemoryAllocation);
    }
    return;
  }
  if (Block* const block = Block::running()) {
    block->note(shape.location, std::string("nested launch of ") + shape.kernel, "");
    block->stop();
  }
  if (last_error().code == cudaErrorLaunchFailure) return;
  const auto stop = question.load();
  try {
    if (!is_taken(shape) || stop()) return;
    Device& simulated = device();
    std::unique_lock lock(simulated.mutex);
    if (simulated.rejected_schedule.empty()) {
      std::list<Borrowed> blocks;  // one for each host thread
      const auto begin_another = [&] {
        blocks.emplace_back(simulated)->begin(shape, body, {begin, begin + bytes},
                                              simulated.schedule);
      };
      begin_another();
      const bool alone = is_watching() || !simulated.schedule.leaves_blocks_free();
      const auto wanted = alone ? 1 : std::size_t(host_threads.load());
      Block::Turns turns = 0;
      while (run_for_a_while(blocks, turns)) {
        // Not under the lock: who answers may wait for a thread that waits for this device.
        lock.unlock();
        const bool stopped = stop();
        lock.lock();
        if (stopped) return;
        while (blocks.size() < wanted) begin_another();  // it takes long
      }
      Block& block = first_that_failed(blocks);
      if (block.is_out_of_memory()) throw std::bad_alloc();
      if (block.report().empty()) return block.end_counting();
      report(cudaErrorLaunchFailure, block.report());
    } else {
      report(cudaErrorLaunchFailure, schedule_report(simulated.rejected_schedule));
    }
  } catch (const std::bad_alloc&) {
    remember(cudaErrorMemoryAllocation);
  }
}

}  // namespace simt
