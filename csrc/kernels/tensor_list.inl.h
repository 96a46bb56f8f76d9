#pragma once
// How an optimizer's step walks the tensors of a list: one region for all of them.

namespace baregrad::BAREGRAD_ISA {
namespace {

// Elements that one thread takes at a time: 64 Ki are about 40 us of memory traffic, and less would not pay for a second thread.
constexpr int64_t kStepGrain = 1 << 16;

// step(tensor, i, n) for the elements of all tensors, on all threads: those from i on in one
// vector, of which n are there. The list is cut as if the tensors stood one after another, so that
// many small ones cost no more than one large one.
template <class Tensor, class Step>
inline void for_tensors(const Tensor* tensors, int64_t count, Step step) {
  int64_t elements = 0;
  for (int64_t t = 0; t < count; ++t) elements += tensors[t].n;
  parallel_for(elements, kStepGrain, [=](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < count && end > 0; ++t) {
      const Tensor tensor = tensors[t];
      const int64_t last = least(end, tensor.n);
      int64_t i = begin > 0 ? begin : 0;
      for (; i + kLanes <= last; i += kLanes) step(tensor, i, kLanes);
      if (i < last) step(tensor, i, last - i);
      begin -= tensor.n;
      end -= tensor.n;
    }
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
