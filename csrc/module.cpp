#include <algorithm>
#include <chrono>

#include "extension.h"
#include "pool.h"
#include "threads.h"

namespace baregrad {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Multiply-adds in registers on all threads at once, in GFLOP/s: the best of a few rounds.
double measure_fma(double duration) {
  const int threads = thread_count();
  const Kernels& table = kernels();
  int64_t steps = 1000;
  double best = 0;
  for (const double end = seconds() + duration; seconds() < end;) {
    struct Round {
      const Kernels& table;
      int64_t steps;
    } round = {table, steps};
    const double start = seconds();
    parallel_for(
        threads, 1,
        [](void* context, int64_t begin, int64_t last) {
          const Round& r = *static_cast<Round*>(context);
          for (; begin < last; ++begin) r.table.probe_fma(r.steps);
        },
        &round);
    const double elapsed = seconds() - start;
    if (elapsed < 0.002)
      steps *= 2;  // long against waking the threads
    else
      best = std::max(best, threads * table.probe_fma(1) * double(steps) / elapsed / 1e9);
  }
  return best;
}

// Copying between arrays of `bytes` each, or each to itself, in GB/s, read and written: the best of
// a few rounds. A copy has memory read what it overwrites, too, so the other is faster beyond caches.
double measure_copy(double duration, int64_t bytes) {
  const pool::Block source(bytes), target(bytes);
  auto *from = static_cast<float*>(source.data()), *to = static_cast<float*>(target.data());
  const int64_t n = bytes / int64_t(sizeof(float));
  std::fill(from, from + n, 1.f);
  double best = 0;
  for (const double end = seconds() + duration; seconds() < end;) {
    const double start = seconds();
    kernels().probe_copy(from, to, n);
    const double middle = seconds();
    kernels().probe_copy(from, from, n);
    kernels().probe_copy(to, to, n);
    const double half = (seconds() - middle) / 2;
    best = std::max(best, 2.0 * double(bytes) / std::min(middle - start, half) / 1e9);
  }
  return best;
}

}  // namespace
}  // namespace baregrad

PYBIND11_MODULE(_cpu, m) {
  using namespace baregrad;
  using namespace py::literals;
  m.doc() = "The CPU kernels: the names and arguments of baregrad.reference, on float32.";
  bind_extension(m);

  m.def("get_num_threads", &thread_count);
  m.def("set_num_threads", &set_thread_count, "count"_a);
  m.def("thread_reason", &thread_count_reason, "Why there are as many threads as there are.");
  m.def("thread_runtime", &thread_runtime, "What starts the threads.");
  m.attr("CUDA_BUILD") = BAREGRAD_CUDA_BUILD;
  m.def("compiler", [] { return "C++ compiler " __VERSION__; });
  m.def(
      "pool",
      [] {
        const auto s = pool::statistics();
        return py::dict("in_use"_a = s.in_use, "kept"_a = s.kept, "hits"_a = s.hits,
                        "misses"_a = s.misses);
      },
      "Bytes in use and kept, blocks that were kept and blocks that came from the system.");
  m.def("trim_pool", &pool::trim, "Give the kept blocks back to the system.");
  m.def("measure_fma", &measure_fma, "seconds"_a = 0.3, py::call_guard<py::gil_scoped_release>(),
        "GFLOP/s of multiply-adds in registers, on all threads.");
  m.def("measure_copy", &measure_copy, "seconds"_a = 0.3, "bytes"_a = int64_t(128) << 20,
        py::call_guard<py::gil_scoped_release>(),
        "GB/s read and written by a copy, to another array or in place, on all threads.");
}
