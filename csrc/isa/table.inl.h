// Compiles every kernel for the instruction set that the including file has named.
#include "../kernels.h"
#include "math.h"

#include "../kernels/adam_step.inl.h"
#include "../kernels/gemm.inl.h"
#include "../kernels/probe.inl.h"
#include "../kernels/softmax_xent.inl.h"
#include "../kernels/unary.inl.h"

#define BAREGRAD_TEXT_OF(x) #x
#define BAREGRAD_TEXT(x) BAREGRAD_TEXT_OF(x)

namespace baregrad::BAREGRAD_ISA {

// The only symbol that leaves this object.
const Kernels* table() {
  static constexpr Kernels kernels = {
      .name = BAREGRAD_TEXT(BAREGRAD_ISA),
      .gemm = gemm,
      .gemm_workspace = gemm_workspace,
      .unary_forward = unary_forward,
      .unary_backward = unary_backward,
      .softmax_xent_forward = softmax_xent_forward,
      .softmax_xent_backward = softmax_xent_backward,
      .adam_step = adam_step,
      .probe_fma = probe_fma,
      .probe_copy = probe_copy,
  };
  return &kernels;
}

}  // namespace baregrad::BAREGRAD_ISA
