#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

// Calls and time of every kernel, while somebody wants to know. All under the GIL.
namespace baregrad {

struct KernelTime {
  int64_t calls = 0, nanoseconds = 0;
};

struct Profiler {
  bool running = false;
  std::map<std::string, KernelTime, std::less<>> times;

  static Profiler& instance() {
    static Profiler profiler;
    return profiler;
  }
};

class Stopwatch {
 public:
  explicit Stopwatch(const char* op) : op_(Profiler::instance().running ? op : nullptr) {
    if (!op_) return;
    Profiler::instance().times[op_];  // here, where it may throw
    start_ = std::chrono::steady_clock::now();
  }
  ~Stopwatch() {
    if (!op_) return;
    auto& times = Profiler::instance().times;
    const auto found = times.find(op_);
    if (found == times.end()) return;  // the profiler was stopped meanwhile
    found->second.calls += 1;
    found->second.nanoseconds +=
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const char* op_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace baregrad
