#pragma once
#include <stdint.h>

// The contract. A backend is one filled `Kernels`: each CPU instruction set, the GPU, the GPU
// simulator, a rung of a teaching ladder and your own file all fill the same slots.
//
// A kernel takes pointers and sizes and writes where it is told. It allocates nothing, throws
// nothing and prints nothing; bindings (csrc/ops/) have checked every argument. Pointers are
// float32 unless their type says otherwise, contiguous unless a stride says otherwise, and an
// output never overlaps an input unless the slot allows it. All sizes are int64_t and may be 0.
//
// Letters: GEMM m n k; rows n, classes c; a table has v rows of d. `d` before a name is the gradient of that name.

#ifdef BAREGRAD_DEVICE  // _cuda and _sim: the last argument of a slot is the stream it runs on
typedef struct CUstream_st* cudaStream_t;
#define STREAM , cudaStream_t stream
#else
#define STREAM
#endif

// One list per family of elementwise ops, read by C++, Python and the tests.
#define BAREGRAD_UNARY(kind) kind(relu) kind(tanh)

// Every op, and its slots in the order in which `Kernels` declares them. Bindings, tables and
// plug-ins are filled from these two lists.
#define BAREGRAD_OPS(op) \
  op(gemm) op(unary) op(softmax_xent) op(gather_rows) op(philox) op(sgd_step) op(adam_step)
// clang-format off
#define BAREGRAD_SLOTS(slot)                \
  slot(gemm, gemm)                          \
  slot(gemm, gemm_workspace)                \
  slot(unary, unary_forward)                \
  slot(unary, unary_backward)               \
  slot(softmax_xent, softmax_xent_forward)  \
  slot(softmax_xent, softmax_xent_backward) \
  slot(gather_rows, gather_rows)            \
  slot(gather_rows, scatter_add_rows)       \
  slot(philox, philox_uniform)              \
  slot(philox, philox_normal)               \
  slot(philox, philox_dropout)              \
  slot(sgd_step, sgd_step)                  \
  slot(adam_step, adam_step)
// clang-format on

namespace baregrad {

// Element (b, i, j) is data[b * batch + i * row + j * col]. Strides are in elements; 0 repeats, a
// negative one walks backwards: transposed, sliced and broadcast operands need no copy.
struct Matrix {
  float* data;
  int64_t batch, row, col;
};
struct ConstMatrix {
  const float* data;
  int64_t batch, row, col;
};

struct GemmSize {
  int64_t batch, m, n, k;
};

// The shape that a strided kernel walks, outermost axis first, and the steps of one operand along
// those axes in elements: 0 repeats, a negative one walks backwards. Bindings (csrc/strided.h) drop
// axes of length 1 and merge neighbours that every operand walks as one, so that arrays in row-major
// order have one axis. There is at least one axis: a single element is one of length 1.
constexpr int kMaxRank = 8;
struct Extents {
  int32_t rank;
  int64_t length[kMaxRank];
};
struct Strides {
  int64_t step[kMaxRank];
};

enum UnaryKind : int32_t {
#define BAREGRAD_ENUM(kind) unary_##kind,
  BAREGRAD_UNARY(BAREGRAD_ENUM)
#undef BAREGRAD_ENUM
};

// What an optimizer knows of one parameter: all arrays have n elements.
struct SgdTensor {
  float* param;
  const float* grad;
  float* velocity;  // or null
  int64_t n;
};
struct AdamTensor {
  float* param;
  const float* grad;
  float *m, *v;
  int64_t n;
};

struct Kernels {
  const char* name;  // "avx2", "sim", ...; with a rung in place "avx2, gemm=ladder/0_naive"

  // a (batch, m, k), b (batch, k, n), bias (n,) or null
  //   -> c (batch, m, n) = alpha a b + beta c + bias
  // With beta 0, c is never read, so it may hold NaN. With k 0 the product is 0.
  void (*gemm)(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size,
               float alpha, float beta, void* workspace STREAM);
  // Bytes of scratch, aligned to 64, that gemm wants for this size: a function of the size alone.
  int64_t (*gemm_workspace)(GemmSize size);

  // x (n,) -> out (n,). out may be x.
  void (*unary_forward)(UnaryKind kind, const float* x, float* out, int64_t n STREAM);
  // saved (n,), dout (n,) -> dx (n,). What is saved is the kind's choice: relu saves its output.
  // dx may be dout or saved.
  void (*unary_backward)(UnaryKind kind, const float* saved, const float* dout, float* dx,
                         int64_t n STREAM);

  // logits (n, c), labels (n,), weight (n,) or null for ones
  //   -> loss (n,) = -weight log softmax(logits)[label]
  //      dlogits (n, c) = weight (softmax(logits) - onehot(label)), the gradient of the sum of loss
  // A label outside [0, c) makes its row NaN, and *bad_row becomes the smallest such row if that
  // is less than what *bad_row holds.
  void (*softmax_xent_forward)(const float* logits, const int64_t* labels, const float* weight,
                               float* loss, float* dlogits, int64_t* bad_row, int64_t n,
                               int64_t c STREAM);
  // saved (n, c): the dlogits of forward, dloss (n,) -> dlogits (n, c) = saved dloss. May be saved.
  void (*softmax_xent_backward)(const float* saved, const float* dloss, float* dlogits, int64_t n,
                                int64_t c STREAM);

  // table (v, d), rows (n,) -> out (n, d) = table[rows]
  // A row outside [0, v) makes its row of out NaN and goes to *bad_row, as in softmax_xent.
  void (*gather_rows)(const float* table, const int64_t* rows, float* out, int64_t* bad_row,
                      int64_t v, int64_t n, int64_t d STREAM);
  // dout (n, d), rows (n,) -> out (v, d), in place: out[rows[i]] += dout[i], in order of i.
  // A row outside [0, v) adds nothing and goes to *bad_row.
  void (*scatter_add_rows)(const float* dout, const int64_t* rows, float* out, int64_t* bad_row,
                           int64_t v, int64_t n, int64_t d STREAM);

  // Random numbers: Philox4x32-10. Element i is made of word i % 4 of block offset + i / 4 under the
  // key seed, and of nothing else. state (2,) is seed and offset, by pointer for the same reason as
  // the step of adam_step.
  // state (2,) -> out (n,): uniform in [0, 1), a word's upper 24 bits / 2^24, exact
  void (*philox_uniform)(const int64_t* state, float* out, int64_t n STREAM);
  // state (2,) -> out (n,): normal. Words a, b of a block give r cos t and r sin t, and so do c, d;
  // r = sqrt(-2 log(((a >> 8) + 1) / 2^24)), t = 2 pi (b >> 8) / 2^24.
  void (*philox_normal)(const int64_t* state, float* out, int64_t n STREAM);
  // x (n,), state (2,) -> out (n,) = x / (1 - p) where its uniform number is >= p, else 0. out may
  // be x. The gradient is the same op on dout with the same state.
  void (*philox_dropout)(const float* x, const int64_t* state, float* out, int64_t n,
                         double p STREAM);

  // One step of an optimizer over `count` tensors in one call, in place. The list itself is in host
  // memory and is read before the call returns. What changes from step to step comes by pointer, so
  // that a captured CUDA graph can replay; the rest is double, because 1 - beta2 in float32 would be
  // off by a hundredth of a percent.
  // grad (n,), *learning_rate -> param, velocity (n,)
  void (*sgd_step)(const SgdTensor* tensors, int64_t count, const float* learning_rate,
                   double momentum, double weight_decay, bool nesterov STREAM);
  // grad (n,), *learning_rate, *step (1 at the first) -> param, m, v (n,)
  // decoupled: weight_decay shrinks param (AdamW) and does not join the gradient (L2).
  void (*adam_step)(const AdamTensor* tensors, int64_t count, const float* learning_rate,
                    const int64_t* step, double beta1, double beta2, double epsilon,
                    double weight_decay, bool decoupled STREAM);

#ifndef BAREGRAD_DEVICE
  // The ceilings of this machine, for `baregrad info` and the benchmarks: rounds of multiply-adds
  // in registers on the calling thread -> flops done; from (n,) -> to (n,), on all threads.
  double (*probe_fma)(int64_t steps);
  void (*probe_copy)(const float* from, float* to, int64_t n);
#endif
};

}  // namespace baregrad

// A plug-in (a rung, or a shared library of yours) exports this one function. It is given a copy of
// the table in use and overwrites the slots that it implements:
//   void baregrad_plugin(baregrad::Kernels* table) { table->gemm = my_gemm; }
extern "C" __attribute__((visibility("default"))) void baregrad_plugin(baregrad::Kernels* table);
