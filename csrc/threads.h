#pragma once
#include <stdint.h>

// Threads. The only place that knows OpenMP; without it a small pool of std::thread does the same.
namespace baregrad {

// Runs body(context, begin, end) over pieces of [0, n) cut at multiples of `grain`, on as many
// threads as there are, and returns when all are done. What a body writes for an index must not
// depend on how the pieces are cut: then any number of threads gives the same bits. Inside a body,
// and in a forked child, it runs serially. What a body throws first, on any thread, is thrown to the
// caller when all are done.
//
// Long work (interruptible.h) is done in slices of about a quarter of a millisecond, of a whole one by
// a thread alone, cut at multiples of `slice` indices: a thread that is done takes half of what
// another has left, and once the work is stopped, no body is called any more.
void parallel_for(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context,
                  int64_t slice = 1);

// For a body that may run long by itself: whether to return, what is left undone, because the work
// was stopped.
bool is_stopped();

// Where part `part` of `parts` of [0, n) begins: n part / parts, of which the product might wrap.
static inline constexpr int64_t part_begin(int64_t n, int64_t part, int64_t parts) {
  return n / parts * part + n % parts * part / parts;
}

// The number of threads of this process: CPUs it may run on, cgroup quota, OMP_NUM_THREADS, or
// what set_thread_count said last, which throws std::invalid_argument below 1 and above 1024.
int thread_count();
void set_thread_count(int count);
const char* thread_count_reason();

// "OpenMP 201511", or "std::thread".
const char* thread_runtime();

}  // namespace baregrad
