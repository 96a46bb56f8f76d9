#pragma once
#include <string.h>

#include "../csrc/kernels.h"

// The products that have versions for tensor cores.
namespace baregrad {

#define BAREGRAD_ROUNDED(slot) slot(gemm)
#define BAREGRAD_LAUNCHER(slot)                                      \
  extern std::remove_pointer_t<decltype(Kernels::slot)> slot##_tf32; \
  extern std::remove_pointer_t<decltype(Kernels::slot)> slot##_bf16;
BAREGRAD_ROUNDED(BAREGRAD_LAUNCHER)
#undef BAREGRAD_LAUNCHER

// The table, in which products round their factors to "tf32" or "bf16"; with any other name as it is.
inline Kernels rounded(Kernels table, const char* name) {
#define BAREGRAD_FILL(slot)                                \
  if (strcmp(name, "tf32") == 0) table.slot = slot##_tf32; \
  if (strcmp(name, "bf16") == 0) table.slot = slot##_bf16;
  BAREGRAD_ROUNDED(BAREGRAD_FILL)
#undef BAREGRAD_FILL
  table.name = name;
  return table;
}

}  // namespace baregrad
