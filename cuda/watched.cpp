// All launchers as a plug-in: compiled so that the simulator sees every access, they are laid over
// those of _sim.
#include <cuda_runtime.h>

#include "../csrc/kernels.h"
#include "rounded.h"

namespace baregrad {

#define BAREGRAD_LAUNCHER(op, slot) extern std::remove_pointer_t<decltype(Kernels::slot)> slot;
BAREGRAD_SLOTS(BAREGRAD_LAUNCHER)
#undef BAREGRAD_LAUNCHER

}  // namespace baregrad

void baregrad_plugin(baregrad::Kernels* table) {
#define BAREGRAD_FILL(op, slot) table->slot = baregrad::slot;
  BAREGRAD_SLOTS(BAREGRAD_FILL)
#undef BAREGRAD_FILL
  *table = baregrad::rounded(*table, table->name);
}
