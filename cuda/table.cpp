// The one table of a device: the launchers in kernels/, by name.
#include <cuda_runtime.h>

#include "../csrc/dispatch.h"

namespace baregrad {

#define BAREGRAD_LAUNCHER(op, slot) extern std::remove_pointer_t<decltype(Kernels::slot)> slot;
BAREGRAD_SLOTS(BAREGRAD_LAUNCHER)
#undef BAREGRAD_LAUNCHER

const std::vector<const Kernels*>& available() {
#define BAREGRAD_FILL(op, slot) .slot = slot,
  static constexpr Kernels kernels = {.name = BAREGRAD_DEVICE_NAME, BAREGRAD_SLOTS(BAREGRAD_FILL)};
#undef BAREGRAD_FILL
  static const std::vector<const Kernels*> tables = {&kernels};
  return tables;
}

}  // namespace baregrad
