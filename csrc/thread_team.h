#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace baregrad {

// Threads that wait for work, for builds without OpenMP. The caller is thread 0.
class ThreadTeam {
 public:
  static ThreadTeam& instance() {
    static ThreadTeam* team = new ThreadTeam;  // never destroyed: workers may outlive main()
    return *team;
  }

  // Runs job(0) ... job(threads - 1), which throws nothing. A second caller at the same time runs
  // its job serially.
  template <class Job>
  void run(int threads, const Job& job) {
    std::unique_lock busy(busy_, std::try_to_lock);
    const int helpers = busy ? hire(threads - 1) : 0;
    if (helpers == 0) {
      for (int t = 0; t < threads; ++t) job(t);
      return;
    }
    {
      std::lock_guard lock(sleep_);
      job_ = [&job](int t) { job(t); };
      threads_ = threads;
      unfinished_ = int(workers_.size());
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job(0);
    for (int t = helpers + 1; t < threads; ++t) job(t);
    while (unfinished_.load(std::memory_order_acquire)) std::this_thread::yield();
  }

 private:
  // As libgomp is told to: about 50 us awake, for the next region mostly follows at once.
  static constexpr int kSpins = 2000;

  // How many workers there are for `wanted`: fewer where no more can be started.
  int hire(int wanted) {
    try {
      while (int(workers_.size()) < wanted) {
        const int index = int(workers_.size()) + 1;
        workers_.emplace_back([this, index, seen = generation_.load()] { work(index, seen); });
      }
    } catch (const std::exception&) {  // std::bad_alloc or std::system_error
    }
    return std::min(int(workers_.size()), wanted);
  }

  void work(int index, unsigned seen) {
    for (;;) {
      for (int i = 0; i < kSpins && generation_.load(std::memory_order_acquire) == seen; ++i)
        pause();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(sleep_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
      }
      seen = generation_.load(std::memory_order_acquire);
      if (index < threads_) job_(index);
      unfinished_.fetch_sub(1, std::memory_order_release);
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::mutex busy_, sleep_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;  // not jthread, which the library of macOS lacks
  std::function<void(int)> job_;
  int threads_ = 0;
  std::atomic<int> unfinished_{0};
  std::atomic<unsigned> generation_{0};
};

}  // namespace baregrad
