// A launch: is its shape one that a device takes, then one block after another.
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <list>
#include <mutex>
#include <new>

#include "block.h"
#include "last_error.h"

namespace simt {
namespace {

constexpr unsigned kMaxBlockDepth = 64;       // blockDim.z
constexpr unsigned kMaxGridWidth = 1u << 31;  // gridDim.x, exclusive
constexpr unsigned kMaxGridHeight = 65535;    // gridDim.y and z

bool device_takes(const LaunchShape& shape) {
  const auto [bx, by, bz] = shape.block;
  const auto [gx, gy, gz] = shape.grid;
  if (bx == 0 || by == 0 || bz == 0 || gx == 0 || gy == 0 || gz == 0) return false;
  if (bx > kMaxBlockThreads || by > kMaxBlockThreads || bz > kMaxBlockDepth) return false;
  if (bx * by * bz > kMaxBlockThreads) return false;
  return gx < kMaxGridWidth && gy <= kMaxGridHeight && gz <= kMaxGridHeight;
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

 private:
  Device& device_;
  std::list<Block> block_;
};

std::atomic<bool (*)()> question{[] { return false; }};

// Orders by a mistyped name would test less than was asked for, in silence.
std::string schedule_report(const std::string& rejected) {
  return "BAREGRAD_SIM_SCHEDULE is \"" + rejected +
         "\", expected \"forward\", \"reverse\" or \"random:<seed>\"";
}

}  // namespace

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

void launch(const LaunchShape& shape, ThreadBody body, const void* closure) noexcept {
  if (Block* const block = Block::running()) {
    block->note(shape.location, std::string("nested launch of ") + shape.kernel, "");
    block->stop();
  }
  LastError& error = last_error();
  if (error.code == cudaErrorLaunchFailure) return;
  if (!device_takes(shape)) {
    remember(cudaErrorInvalidConfiguration);
    return;
  }
  if (shape.shared_bytes > kDynamicSharedBytes) {
    remember(cudaErrorInvalidValue);
    return;
  }
  const auto stop = question.load();
  if (stop()) return;
  try {
    Device& simulated = device();
    std::unique_lock lock(simulated.mutex);
    if (simulated.rejected_schedule.empty()) {
      Borrowed block(simulated);
      block->begin(shape, body, closure, simulated.schedule);
      for (block->run_blocks(); !block->is_done(); block->run_blocks()) {
        // Not under the lock: who answers may wait for a thread that waits for this device.
        lock.unlock();
        const bool stopped = stop();
        lock.lock();
        if (stopped) return;
      }
      if (block->is_out_of_memory()) throw std::bad_alloc();
      if (block->report().empty()) return block->end_counting();
      error.report = block->report();
    } else {
      error.report = schedule_report(simulated.rejected_schedule);
    }
    remember(cudaErrorLaunchFailure);
  } catch (const std::bad_alloc&) {
    remember(cudaErrorMemoryAllocation);
  }
}

}  // namespace simt
