#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

// Calls and time of every kernel, while somebody wants to know. All under the GIL.
namespace baregrad {

struct KernelTime {
  int64_t calls = 0, nanoseconds = 0;
};

struct Profiler {
  bool running = false;
  std::map<std::string, KernelTime> times;

  static Profiler& instance() {
    static Profiler profiler;
    return profiler;
  }
};

class Stopwatch {
 public:
  explicit Stopwatch(const char* op) : op_(Profiler::instance().running ? op : nullptr) {
    if (op_) start_ = std::chrono::steady_clock::now();
  }
  ~Stopwatch() {
    if (!op_) return;
    KernelTime& time = Profiler::instance().times[op_];
    time.calls += 1;
    time.nanoseconds += std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const char* op_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace baregrad
