// Compiles every kernel for the instruction set that the including file has named.
#include "../kernels.h"
#include "math.h"

#include "../kernels/adam_step.inl.h"
#include "../kernels/avgpool2d.inl.h"
#include "../kernels/batch_norm.inl.h"
#include "../kernels/bias_activation.inl.h"
#include "../kernels/binary.inl.h"
#include "../kernels/cast.inl.h"
#include "../kernels/compare.inl.h"
#include "../kernels/conv2d.inl.h"
#include "../kernels/copy_strided.inl.h"
#include "../kernels/fill.inl.h"
#include "../kernels/gather_rows.inl.h"
#include "../kernels/gemm.inl.h"
#include "../kernels/im2col.inl.h"
#include "../kernels/layer_norm.inl.h"
#include "../kernels/maxpool2d.inl.h"
#include "../kernels/philox.inl.h"
#include "../kernels/probe.inl.h"
#include "../kernels/reduce.inl.h"
#include "../kernels/sgd_step.inl.h"
#include "../kernels/softmax.inl.h"
#include "../kernels/softmax_xent.inl.h"
#include "../kernels/unary.inl.h"
#include "../kernels/where.inl.h"

#define BAREGRAD_TEXT_OF(x) #x
#define BAREGRAD_TEXT(x) BAREGRAD_TEXT_OF(x)

namespace baregrad::BAREGRAD_ISA {

// The only symbol that leaves this object.
const Kernels* table() {
#define BAREGRAD_FILL(op, slot) .slot = slot,
  // clang-format off
  static constexpr Kernels kernels = {
      .name = BAREGRAD_TEXT(BAREGRAD_ISA),
      BAREGRAD_SLOTS(BAREGRAD_FILL)
      BAREGRAD_FILL(probe, probe_fma)
      BAREGRAD_FILL(probe, probe_copy)
      .parallel_for = baregrad::parallel_for,
  };
  // clang-format on
#undef BAREGRAD_FILL
  return &kernels;
}

}  // namespace baregrad::BAREGRAD_ISA
