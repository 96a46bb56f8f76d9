#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>

namespace baregrad {

// While one lives, the work of its thread is done in slices and, if there is `stop`, may be stopped
// half way: between slices `stop` is asked, now and then, on that thread alone. Once it has said yes,
// all that is left is left out, of the helpers' shares too, and of what comes next.
class Interruptible {
 public:
  using Clock = std::chrono::steady_clock;

  Interruptible(bool (*stop)(), double nanoseconds)
      : nanoseconds(nanoseconds), stop_(stop), next_(Clock::now() + kPause) {
    innermost() = this;
  }
  ~Interruptible() { innermost() = outer_; }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  // The one that the calling thread works for: its own, or that of the thread which it helps.
  static Interruptible*& innermost() {
    thread_local Interruptible* instance = nullptr;
    return instance;
  }

  // Whether to leave out what is left; asks if it is time to.
  bool is_over(Clock::time_point now = Clock::now()) {
    if (stopped() || thread_ != this_thread() || now < next_) return stopped();
    if (stop_ && stop_()) stopped_.store(true, std::memory_order_relaxed);
    const Clock::time_point answered = Clock::now();
    next_ = answered + std::clamp(10 * (answered - now), kPause, kLongestPause);
    return stopped();
  }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  bool may_stop() const { return stop_ != nullptr; }

  const double nanoseconds;  // that the work takes one thread, about

 private:
  // A person takes 100 ms for at once. To ask wants the GIL, for which a busy Python thread lets one
  // wait 5 ms: then less often, so that a tenth of the time goes there at most.
  static constexpr Clock::duration kPause = std::chrono::milliseconds(20),
                                   kLongestPause = std::chrono::milliseconds(50);

  static const void* this_thread() {
    thread_local const char identity = 0;
    return &identity;
  }

  bool (*const stop_)();  // or null
  std::atomic<bool> stopped_{false};
  Clock::time_point next_;  // read and written by its own thread
  const void* const thread_ = this_thread();
  Interruptible* const outer_ = innermost();
};

}  // namespace baregrad
