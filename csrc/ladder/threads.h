#pragma once
#include "../kernels.h"

// The package's own threads, which a plug-in finds in the table that it is given. What a body writes
// for an index must not depend on how the indices are cut.

namespace {

decltype(baregrad::Kernels::parallel_for) package_threads;

// body(begin, end) over [0, n) in pieces that start at multiples of grain, on all threads.
template <class Body>
void parallel_for(int64_t n, int64_t grain, Body body) {
  package_threads(
      n, grain,
      [](void* context, int64_t begin, int64_t end) { (*static_cast<Body*>(context))(begin, end); },
      &body, 1);
}

}  // namespace
