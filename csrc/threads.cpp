#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "interruptible.h"
#include "shares.h"

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

// What a thread is while it runs a piece: inside a region, which may be stopped.
class Helping {
 public:
  explicit Helping(Interruptible* watch) {
    inside_region = true;
    Interruptible::innermost() = watch;
  }
  ~Helping() {
    inside_region = false;
    Interruptible::innermost() = before_;
  }

 private:
  Interruptible* const before_ = Interruptible::innermost();
};

// What a region runs: body over [0, n), in pieces of `grain`.
struct Region {
  int64_t n, grain;
  void (*body)(void*, int64_t, int64_t);
  void* context;

  int64_t pieces() const { return n / grain + (n % grain != 0); }
  void run(Pieces some) const {
    if (!some.none()) body(context, some.begin * grain, std::min(some.end * grain, n));
  }
};

// Of a region that is not cut into slices, which is short, the clock is asked every 16th time: there
// may be 1e5 in a call, of a microsecond each.
constexpr unsigned kShortRegions = 16;

bool is_over_before_short(Interruptible& watch) {
  thread_local unsigned regions = 0;
  return ++regions % kShortRegions == 0 ? watch.is_over() : watch.stopped();
}

// How long slices are to take, in nanoseconds: what is shorter costs more than it evens out, and who
// is done waits for what is longer. A thread alone waits for nobody, and Ctrl-C can wait a millisecond.
constexpr double kShortest = 25e3, kLongest = 250e3, kLongestAlone = 1000e3;

// What is left to `thread`, and then to others, in slices: at first as long as they should take, as far
// as that is known, then longer ones until they do, and in the end shorter ones again.
void run_slices(const Region& region, int64_t unit, Share* shares, int thread, int threads,
                Interruptible& watch) {
  const bool alone = threads == 1;
  const double longest = alone ? kLongestAlone : kLongest;
  const double first = double(region.pieces()) * std::min(1., longest / watch.nanoseconds);
  int64_t least = unit, most = std::max(unit, int64_t(first));
  auto now = Interruptible::Clock::now();
  while (!watch.is_over(now)) {
    Pieces some = shares[thread].take(alone ? most : least, most, unit);
    for (int other = 1; some.none() && other < threads; ++other) {
      shares[thread].set(shares[(thread + other) % threads].give(least, unit));
      some = shares[thread].take(least, most, unit);
    }
    if (some.none()) return;
    region.run(some);
    const auto before = std::exchange(now, Interruptible::Clock::now());
    const double took = std::chrono::duration<double, std::nano>(now - before).count();
    if (took < kShortest) least = std::max(least, some.count());
    if (took < longest) most = std::max(most, 2 * some.count());
  }
}

#ifdef _OPENMP
// How many threads, the calling one included, a region of `threads` can have. libgomp ends the
// process where it cannot start one, so before it is asked for more of them than ever on this
// thread, as many are started to see whether they can be.
int startable(int threads) {
  thread_local int started = 1;
  if (threads <= started) return threads;
  std::mutex gate;
  pthread_t helpers[kMaxThreads];
  int count = 0;
  {
    std::lock_guard closed(gate);
    const auto pass = [](void* closed_gate) -> void* {
      std::lock_guard open(*static_cast<std::mutex*>(closed_gate));
      return nullptr;
    };
    while (count + 1 < threads && pthread_create(&helpers[count], nullptr, pass, &gate) == 0)
      ++count;
  }
  for (int i = 0; i < count; ++i) pthread_join(helpers[i], nullptr);
  started = std::max(started, count + 1);
  return count + 1;
}
#endif

}  // namespace

bool is_stopped() {
  Interruptible* const watch = Interruptible::innermost();
  return watch && watch->is_over();
}

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

void parallel_for(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context,
                  int64_t slice) {
  if (n <= 0) return;
  Interruptible* const watch = Interruptible::innermost();
  const Region region = {n, grain * (1 + (n / grain >> 31)), body, context};
  const int64_t pieces = region.pieces();
  int threads = int(std::min<int64_t>(thread_count(), pieces));
  if (inside_region || forked_child.load(std::memory_order_relaxed)) threads = 1;
#ifdef _OPENMP
  // libgomp ends those of its threads that a region leaves out, and starts others for the next: so
  // all of them take part, and some find no piece.
  const int team = threads == 1 ? 1 : startable(thread_count());
  threads = std::min(threads, team);
#endif
  const int64_t unit = (slice + region.grain - 1) / region.grain;
  Share shares[kMaxThreads];
  const bool sliced = watch && (threads > 1 || watch->may_stop()) && pieces > threads * unit;
  const auto part = [&](int thread) {
    return Pieces{part_begin(pieces, thread, threads), part_begin(pieces, thread + 1, threads)};
  };
  for (int t = 0; sliced && t < threads; ++t) shares[t].set(part(t));
  const auto run_part = [&](int thread) {
    if (sliced)
      run_slices(region, unit, shares, thread, threads, *watch);
    else if (!watch || !is_over_before_short(*watch))
      region.run(part(thread));
  };
  if (threads == 1) return run_part(0);

  std::atomic<bool> failed{false};
  std::exception_ptr error;
  const auto run_piece = [&](int thread) {
    const Helping helping(watch);
    try {
      run_part(thread);
    } catch (...) {  // it must not leave the thread
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
#ifdef _OPENMP
#pragma omp parallel num_threads(team)
  {
    // The runtime may give fewer threads than asked for; each piece is run all the same.
    for (int t = omp_get_thread_num(); t < threads; t += omp_get_num_threads()) run_piece(t);
  }
#else
  ThreadTeam::instance().run(threads, run_piece);
#endif
  if (error) std::rethrow_exception(error);
}

}  // namespace baregrad
