#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#else
#include "thread_team.h"
#endif

namespace baregrad {
namespace {

constexpr int kMaxThreads = 1024;

int visible_cpus() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// CPUs that the control groups grant, or infinity. v2: "quota period" or "max period" in cpu.max
// of this group and of those above it; v1: two files.
double cgroup_cpus() {
  double least = INFINITY;
  auto grant = [&](double quota, double period) {
    if (quota > 0 && period > 0) least = std::min(least, quota / period);
  };
  std::string path;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);)
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  for (;; path.resize(path.rfind('/'))) {
    std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
    double quota = 0, period = 0;
    if (file >> quota >> period) grant(quota, period);  // "max" is no number: no limit
    if (path.find('/') == std::string::npos) break;
  }
  double quota = 0, period = 0;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  grant(quota, period);
  return least;
}

struct Count {
  std::atomic<int> value;
  std::string reason;

  Count() {
    const int cpus = visible_cpus();
    const double quota = cgroup_cpus();
    value = cpus;
    reason = "CPUs this process may run on";
    if (quota < cpus) {
      value = std::max(1, int(std::ceil(quota)));
      reason = "cgroup quota, " + std::to_string(cpus) + " CPUs visible";
    }
    if (const char* text = getenv("OMP_NUM_THREADS")) {
      const int wish = atoi(text);  // "4,2" is 4 at the outermost level, ours
      if (wish > 0) {
        value = std::min(wish, kMaxThreads);
        reason = "OMP_NUM_THREADS";
      }
    }
  }
};

Count& count() {
  static Count instance;
  return instance;
}

// libgomp's threads do not survive fork(), and its next region would wait for them forever.
std::atomic<bool> forked_child{false};
const int registered = pthread_atfork(nullptr, nullptr, [] { forked_child = true; });

thread_local bool inside_region = false;

}  // namespace

int thread_count() { return count().value.load(std::memory_order_relaxed); }

void set_thread_count(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    throw std::invalid_argument("[set_num_threads] count is " + std::to_string(threads) +
                                ", expected 1 to " + std::to_string(kMaxThreads));
  count().value = threads;
  count().reason = "set_num_threads";
}

const char* thread_count_reason() { return count().reason.c_str(); }

const char* thread_runtime() {
#ifdef _OPENMP
  static const std::string name = "OpenMP " + std::to_string(_OPENMP);
  return name.c_str();
#else
  return "std::thread";
#endif
}

void parallel_for(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context) {
  if (n <= 0) return;
  const int64_t pieces = (n + grain - 1) / grain;
  const int threads = int(std::min<int64_t>(thread_count(), pieces));
  if (threads == 1 || inside_region || forked_child.load(std::memory_order_relaxed))
    return body(context, 0, n);

  auto run = [&](int thread) {
    inside_region = true;
    const int64_t begin = part_begin(pieces, thread, threads) * grain;
    const int64_t end = std::min(part_begin(pieces, thread + 1, threads) * grain, n);
    if (begin < end) body(context, begin, end);
    inside_region = false;
  };
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
  {
    // The runtime may give fewer threads than asked for; each piece is run all the same.
    for (int t = omp_get_thread_num(); t < threads; t += omp_get_num_threads()) run(t);
  }
#else
  ThreadTeam::instance().run(threads, run);
#endif
}

}  // namespace baregrad
