// The one table of a device: the launchers in kernels/, by name.
#include <cuda_runtime.h>

#include "../csrc/dispatch.h"

namespace baregrad {

#define BAREGRAD_LAUNCHER(slot) extern std::remove_pointer_t<decltype(Kernels::slot)> slot
BAREGRAD_LAUNCHER(gemm);
BAREGRAD_LAUNCHER(gemm_workspace);
BAREGRAD_LAUNCHER(unary_forward);
BAREGRAD_LAUNCHER(unary_backward);
BAREGRAD_LAUNCHER(softmax_xent_forward);
BAREGRAD_LAUNCHER(softmax_xent_backward);
BAREGRAD_LAUNCHER(adam_step);
#undef BAREGRAD_LAUNCHER

const std::vector<const Kernels*>& available() {
  static constexpr Kernels kernels = {
      .name = BAREGRAD_DEVICE_NAME,
      .gemm = gemm,
      .gemm_workspace = gemm_workspace,
      .unary_forward = unary_forward,
      .unary_backward = unary_backward,
      .softmax_xent_forward = softmax_xent_forward,
      .softmax_xent_backward = softmax_xent_backward,
      .adam_step = adam_step,
  };
  static const std::vector<const Kernels*> tables = {&kernels};
  return tables;
}

}  // namespace baregrad
