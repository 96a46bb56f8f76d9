// The tables of a device: the launchers in kernels/, by name, and the same with products of numbers
// that are rounded first, for tensor cores.
#include <cuda_runtime.h>

#include "../csrc/dispatch.h"
#include "rounded.h"

namespace baregrad {

#define BAREGRAD_LAUNCHER(op, slot) extern std::remove_pointer_t<decltype(Kernels::slot)> slot;
BAREGRAD_SLOTS(BAREGRAD_LAUNCHER)
#undef BAREGRAD_LAUNCHER

const std::vector<const Kernels*>& available() {
#define BAREGRAD_FILL(op, slot) .slot = slot,
  static constexpr Kernels kernels = {.name = BAREGRAD_DEVICE_NAME, BAREGRAD_SLOTS(BAREGRAD_FILL)};
#undef BAREGRAD_FILL
  static const Kernels tf32 = rounded(kernels, "tf32"), bf16 = rounded(kernels, "bf16");
  static const std::vector<const Kernels*> tables = {&kernels, &tf32, &bf16};
  return tables;
}

}  // namespace baregrad
