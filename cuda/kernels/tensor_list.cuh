#pragma once
#include "fours.cuh"

// How an optimizer's step reaches the tensors of a list: a few at a time, by value in the arguments
// of the kernel, since the list is in host memory and a launcher may not copy it anywhere.
namespace baregrad {

// 32 of 40 bytes: well below the 4 KiB of arguments that a kernel may have.
constexpr int64_t kTensors = 32;
template <class Tensor>
struct SomeTensors {
  Tensor tensor[kTensors];
};

// launch(grid, some) for every tensor of the list: block (x, y) of the grid is of some.tensor[y].
template <class Tensor, class Launch>
void for_tensors(const Tensor* tensors, int64_t count, Launch launch) {
  for (int64_t first = 0; first < count; first += kTensors) {
    SomeTensors<Tensor> some = {};
    const int64_t here = count - first < kTensors ? count - first : kTensors;
    int64_t longest = 0;
    for (int64_t t = 0; t < here; ++t) {
      some.tensor[t] = tensors[first + t];
      if (some.tensor[t].n > longest) longest = some.tensor[t].n;
    }
    if (longest > 0) launch(dim3(blocks_for_fours(longest), unsigned(here)), some);
  }
}

}  // namespace baregrad
