// No #pragma once: a plug-in may meet two copies of this file, its own and the package's.
#ifndef BAREGRAD_KERNELS_H
#define BAREGRAD_KERNELS_H
#include <stdint.h>

// The contract. A backend is one filled `Kernels`: each CPU instruction set, the GPU, the GPU
// simulator, a rung of a teaching ladder and your own file all fill the same slots.
//
// A kernel takes pointers and sizes and writes where it is told. It allocates nothing, throws
// nothing and prints nothing; bindings (csrc/ops/) have checked every argument. Pointers are
// float32 unless their type says otherwise, contiguous unless a stride says otherwise, and an
// output never overlaps an input unless the slot allows it. All sizes are int64_t and may be 0.
//
// Letters: GEMM m n k; rows n, classes c, features d; images n c h w, their pixels s = h w; filters
// o kh kw, outputs of a window that slides oh ow; a table has v rows of d. `d` before a name is the
// gradient of that name.

#ifdef BAREGRAD_DEVICE  // _cuda and _sim: the last argument of a slot is the stream it runs on
typedef struct CUstream_st* cudaStream_t;
#define STREAM , cudaStream_t stream
#else
#define STREAM
#endif

// One list per family of elementwise ops, read by C++, Python and the tests.
// clang-format off
#define BAREGRAD_UNARY(kind) \
  kind(relu) kind(leaky_relu) kind(elu) kind(gelu) kind(silu) kind(sigmoid) kind(tanh) \
  kind(softplus) kind(exp) kind(log) kind(sqrt) kind(abs) kind(neg) kind(sign)
#define BAREGRAD_BINARY(kind) \
  kind(add) kind(sub) kind(mul) kind(div) kind(pow) kind(maximum) kind(minimum)
#define BAREGRAD_COMPARE(kind) kind(eq) kind(ne) kind(lt) kind(le) kind(gt) kind(ge)
// The kinds that a bias goes with: those whose derivative needs only their output.
#define BAREGRAD_ACTIVATION(kind) kind(relu) kind(sigmoid) kind(tanh)
// What reductions find, and reductions that find a place.
#define BAREGRAD_REDUCE(kind) kind(sum) kind(mean) kind(max) kind(min) kind(var)
#define BAREGRAD_PLACE(kind) kind(argmax) kind(argmin)
// The types of elements, as NumPy calls them and as C does.
#define BAREGRAD_NUMBERS(number) \
  number(float32, float) number(float64, double) number(int64, int64_t) number(uint8, uint8_t) \
  number(boolean, bool)

// Every op, and its slots in the order in which `Kernels` declares them. Bindings, tables and
// plug-ins are filled from these two lists.
#define BAREGRAD_OPS(op) \
  op(gemm) op(conv2d) op(im2col) op(maxpool2d) op(avgpool2d) op(unary) op(binary) op(compare) \
  op(where) op(fill) op(cast) op(copy_strided) op(bias_activation) op(philox) op(gather_rows) \
  op(reduce) op(softmax) op(softmax_xent) op(batch_norm) op(layer_norm) op(sgd_step) \
  op(adam_step)
#define BAREGRAD_SLOTS(slot)                      \
  slot(gemm, gemm)                                \
  slot(gemm, gemm_workspace)                      \
  slot(conv2d, conv2d_forward)                    \
  slot(conv2d, conv2d_backward_input)             \
  slot(conv2d, conv2d_backward_weight)            \
  slot(conv2d, conv2d_forward_workspace)          \
  slot(conv2d, conv2d_backward_input_workspace)   \
  slot(conv2d, conv2d_backward_weight_workspace)  \
  slot(im2col, im2col)                            \
  slot(im2col, col2im)                            \
  slot(maxpool2d, maxpool2d_forward)              \
  slot(maxpool2d, maxpool2d_backward)             \
  slot(avgpool2d, avgpool2d_forward)              \
  slot(avgpool2d, avgpool2d_backward)             \
  slot(unary, unary_forward)                      \
  slot(unary, unary_backward)                     \
  slot(binary, binary)                            \
  slot(compare, compare)                          \
  slot(where, where)                              \
  slot(fill, fill)                                \
  slot(cast, cast)                                \
  slot(copy_strided, copy_strided)                \
  slot(bias_activation, bias_activation_forward)  \
  slot(bias_activation, bias_activation_backward) \
  slot(philox, philox_uniform)                    \
  slot(philox, philox_normal)                     \
  slot(philox, philox_dropout)                    \
  slot(gather_rows, gather_rows)                  \
  slot(gather_rows, scatter_add_rows)             \
  slot(reduce, reduce)                            \
  slot(reduce, reduce_workspace)                  \
  slot(reduce, reduce_place)                      \
  slot(softmax, softmax_forward)                  \
  slot(softmax, log_softmax_forward)              \
  slot(softmax, softmax_backward)                 \
  slot(softmax, log_softmax_backward)             \
  slot(softmax_xent, softmax_xent_forward)        \
  slot(softmax_xent, softmax_xent_backward)       \
  slot(batch_norm, batch_norm_forward)            \
  slot(batch_norm, batch_norm_backward)           \
  slot(layer_norm, layer_norm_forward)            \
  slot(layer_norm, layer_norm_backward)           \
  slot(layer_norm, layer_norm_backward_workspace) \
  slot(sgd_step, sgd_step)                        \
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

// A window of kh x kw pixels slides over an image of h x w: cell (i, j) of the window of output
// (y, x) lies on row y stride_h + i dilation_h - pad_h and column x stride_w + j dilation_w - pad_w.
// What lies outside the image is padding.
struct Conv2dSize {
  int64_t n, c, h, w, o, kh, kw, oh, ow;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
};

// The same without dilation, for each of `planes` = n c images of one channel.
struct Pool2dSize {
  int64_t planes, h, w, kh, kw, oh, ow, stride_h, stride_w, pad_h, pad_w;
};

#define BAREGRAD_ENUM(kind) unary_##kind,
enum UnaryKind : int32_t { BAREGRAD_UNARY(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM
#define BAREGRAD_ENUM(kind) binary_##kind,
enum BinaryKind : int32_t { BAREGRAD_BINARY(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM
#define BAREGRAD_ENUM(kind) compare_##kind,
enum CompareKind : int32_t { BAREGRAD_COMPARE(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM
#define BAREGRAD_ENUM(kind) reduce_##kind,
enum ReduceKind : int32_t { BAREGRAD_REDUCE(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM
#define BAREGRAD_ENUM(kind) place_##kind,
enum PlaceKind : int32_t { BAREGRAD_PLACE(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM
#define BAREGRAD_ENUM(name, type) number_##name,
enum NumberType : int32_t { BAREGRAD_NUMBERS(BAREGRAD_ENUM) };
#undef BAREGRAD_ENUM

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

  // --- Products, and windows that slide over images

  // a (batch, m, k), b (batch, k, n), bias (n,) or null
  //   -> c (batch, m, n) = alpha a b + beta c + bias
  // With beta 0, c is never read, so it may hold NaN. With k 0 the product is 0.
  void (*gemm)(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size,
               float alpha, float beta, void* workspace STREAM);
  // Bytes of scratch, aligned to 64, that gemm wants for this size: a function of the size alone.
  int64_t (*gemm_workspace)(GemmSize size);

  // x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) or null -> out (n, o, oh, ow)
  // Padding is 0 and is multiplied. Group g of the outputs sees group g of the channels.
  void (*conv2d_forward)(const float* x, const float* weight, const float* bias, float* out,
                         Conv2dSize size, void* workspace STREAM);
  // dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w), of each pixel the
  // windows that it lies in
  void (*conv2d_backward_input)(const float* dout, const float* weight, float* dx, Conv2dSize size,
                                void* workspace STREAM);
  // x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
  void (*conv2d_backward_weight)(const float* x, const float* dout, float* dweight, Conv2dSize size,
                                 void* workspace STREAM);
  // As gemm_workspace.
  int64_t (*conv2d_forward_workspace)(Conv2dSize size);
  int64_t (*conv2d_backward_input_workspace)(Conv2dSize size);
  int64_t (*conv2d_backward_weight_workspace)(Conv2dSize size);

  // x (n, c, h, w) -> columns (n, c kh kw, oh ow), 0 for padding. o and groups are not read.
  void (*im2col)(const float* x, float* columns, Conv2dSize size STREAM);
  // columns (n, c kh kw, oh ow) -> x (n, c, h, w), of each pixel the sum of its cells
  void (*col2im)(const float* columns, float* x, Conv2dSize size STREAM);

  // x (planes, h, w) -> out (planes, oh, ow), places (planes, oh, ow)
  // A place is i kw + j of the largest pixel in its window, the first of equals in row-major
  // order, the first NaN if there is one. A window of padding alone gives -inf and place 0.
  void (*maxpool2d_forward)(const float* x, float* out, uint8_t* places, Pool2dSize size STREAM);
  // places (planes, oh, ow), dout (planes, oh, ow) -> dx (planes, h, w)
  // A place outside the image adds nothing.
  void (*maxpool2d_backward)(const uint8_t* places, const float* dout, float* dx,
                             Pool2dSize size STREAM);

  // x (planes, h, w) -> out (planes, oh, ow) = sum of a window / (kh kw), where padding is 0
  void (*avgpool2d_forward)(const float* x, float* out, Pool2dSize size STREAM);
  // dout (planes, oh, ow) -> dx (planes, h, w), of each pixel its windows' dout / (kh kw)
  void (*avgpool2d_backward)(const float* dout, float* dx, Pool2dSize size STREAM);

  // --- Elements by themselves

  // x (n,) -> out (n,). out may be x. alpha is the slope below 0 of leaky_relu and the scale of elu;
  // the other kinds do not read it.
  void (*unary_forward)(UnaryKind kind, const float* x, float* out, int64_t n, float alpha STREAM);
  // saved (n,), dout (n,) -> dx (n,). Saved is the output of relu, sigmoid, tanh, exp and sqrt, and
  // the input of the others; neg and sign do not read it. dx may be dout or saved.
  void (*unary_backward)(UnaryKind kind, const float* saved, const float* dout, float* dx,
                         int64_t n, float alpha STREAM);

  // a, b (...) -> out (...), contiguous. maximum and minimum are NaN where a or b is; of 0 and -0
  // they give either. out may be a or b if those are contiguous.
  void (*binary)(BinaryKind kind, const float* a, Strides a_strides, const float* b,
                 Strides b_strides, float* out, Extents extents STREAM);
  // a, b (...) -> out (...), contiguous, 0 or 1. With NaN all but ne are 0.
  void (*compare)(CompareKind kind, const float* a, Strides a_strides, const float* b,
                  Strides b_strides, uint8_t* out, Extents extents STREAM);
  // condition, a, b (...) -> out (...), contiguous: a where condition is not 0, else b. out may be a
  // or b if those are contiguous.
  void (*where)(const uint8_t* condition, Strides condition_strides, const float* a,
                Strides a_strides, const float* b, Strides b_strides, float* out,
                Extents extents STREAM);
  // out (...) = the first `item` bytes of bits; item is 1, 4 or 8
  void (*fill)(void* out, Strides out_strides, Extents extents, uint64_t bits, int64_t item STREAM);
  // x (n,) -> out (n,). A float becomes the nearest integer on the way to 0, or the nearest that
  // there is, and 0 if it is NaN; an int64 the uint8 that is left of it modulo 256; a bool is x != 0.
  void (*cast)(const void* x, NumberType from, void* out, NumberType to, int64_t n STREAM);
  // x (...) -> out (...), items of 1, 4 or 8 bytes
  void (*copy_strided)(const void* x, Strides x_strides, void* out, Strides out_strides,
                       Extents extents, int64_t item STREAM);

  // x (n, c, s), bias (c,) -> out (n, c, s) = f(x + bias), f a kind of BAREGRAD_ACTIVATION. out may
  // be x.
  void (*bias_activation_forward)(UnaryKind kind, const float* x, const float* bias, float* out,
                                  int64_t n, int64_t c, int64_t s STREAM);
  // saved (n, c, s) the output of forward, dout (n, c, s) -> dx (n, c, s), dbias (c,) = sum of dx
  // over n and s. dx may be saved or dout.
  void (*bias_activation_backward)(UnaryKind kind, const float* saved, const float* dout, float* dx,
                                   float* dbias, int64_t n, int64_t c, int64_t s STREAM);

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

  // --- Rows by number

  // table (v, d), rows (n,) -> out (n, d) = table[rows]
  // A row outside [0, v) makes its row of out NaN and goes to *bad_row, as in softmax_xent.
  void (*gather_rows)(const float* table, const int64_t* rows, float* out, int64_t* bad_row,
                      int64_t v, int64_t n, int64_t d STREAM);
  // dout (n, d), rows (n,) -> out (v, d), in place: out[rows[i]] += dout[i], in order of i.
  // A row outside [0, v) adds nothing and goes to *bad_row.
  void (*scatter_add_rows)(const float* dout, const int64_t* rows, float* out, int64_t* bad_row,
                           int64_t v, int64_t n, int64_t d STREAM);

  // --- Sums over axes and rows

  // x (kept, reduced) -> out (kept,), contiguous: over the reduced axes the sum; the mean, NaN of
  // nothing; the largest or smallest, NaN if any is NaN; or var, the sum of (x - mean)^2 divided by
  // max(n - correction, 0). The order of reduced axes is the binding's choice.
  void (*reduce)(ReduceKind kind, const float* x, Extents kept, Strides kept_strides,
                 Extents reduced, Strides reduced_strides, float* out, double correction,
                 void* workspace STREAM);
  // Bytes of scratch, aligned to 64, that reduce wants for so many elements.
  int64_t (*reduce_workspace)(int64_t kept, int64_t reduced);
  // x (kept, length), length at least 1, its elements `step` apart -> out (kept,), contiguous: where
  // along length the first of the largest or smallest is, or the first NaN.
  void (*reduce_place)(PlaceKind kind, const float* x, Extents kept, Strides kept_strides,
                       int64_t length, int64_t step, int64_t* out STREAM);

  // x (n, c) -> out (n, c) = exp(x) / sum exp(x), or its logarithm. out may be x.
  void (*softmax_forward)(const float* x, float* out, int64_t n, int64_t c STREAM);
  void (*log_softmax_forward)(const float* x, float* out, int64_t n, int64_t c STREAM);
  // saved (n, c) the output of forward, dout (n, c) -> dx (n, c) = saved (dout - sum saved dout),
  // or for the logarithm dout - exp(saved) sum dout. dx may be saved or dout.
  void (*softmax_backward)(const float* saved, const float* dout, float* dx, int64_t n,
                           int64_t c STREAM);
  void (*log_softmax_backward)(const float* saved, const float* dout, float* dx, int64_t n,
                               int64_t c STREAM);

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

  // x (n, c, s), weight, bias (c,) -> out (n, c, s) = weight (x - mean) r + bias, and mean, var (c,)
  // over n and s; var divides by n s, r = 1 / sqrt(var + epsilon). n s is at least 1.
  void (*batch_norm_forward)(const float* x, const float* weight, const float* bias, float* out,
                             float* mean, float* var, int64_t n, int64_t c, int64_t s,
                             double epsilon STREAM);
  // x, dout (n, c, s), weight, mean, var (c,) -> with h = (x - mean) r and sums over n and s:
  //   dbias (c,) = sum dout, dweight (c,) = sum dout h,
  //   dx (n, c, s) = weight r (dout - dbias / (n s) - h dweight / (n s))
  void (*batch_norm_backward)(const float* x, const float* dout, const float* weight,
                              const float* mean, const float* var, float* dx, float* dweight,
                              float* dbias, int64_t n, int64_t c, int64_t s, double epsilon STREAM);

  // x (n, d), weight, bias (d,) -> out (n, d) = weight (x - mean) r + bias, and mean, r (n,) of each
  // row; r = 1 / sqrt(var + epsilon), var divides by d.
  void (*layer_norm_forward)(const float* x, const float* weight, const float* bias, float* out,
                             float* mean, float* r, int64_t n, int64_t d, double epsilon STREAM);
  // x, dout (n, d), weight (d,), mean, r (n,) -> with h = (x - mean) r, g = weight dout:
  //   dx (n, d) = r (g - mean g - h mean(g h)), means over the row,
  //   dweight (d,) = sum dout h, dbias (d,) = sum dout, over the rows
  void (*layer_norm_backward)(const float* x, const float* dout, const float* weight,
                              const float* mean, const float* r, float* dx, float* dweight,
                              float* dbias, int64_t n, int64_t d, void* workspace STREAM);
  // Bytes of scratch, aligned to 64, that layer_norm_backward wants: a function of the sizes alone.
  int64_t (*layer_norm_backward_workspace)(int64_t n, int64_t d);

  // --- Steps of optimizers

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
  // The threads of this package, for plug-ins: as in threads.h.
  void (*parallel_for)(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t),
                       void* context, int64_t slice);
#endif
};

}  // namespace baregrad

// A plug-in (a rung, or a shared library of yours) exports this one function. It is given a copy of
// the table in use and overwrites the slots that it implements:
//   void baregrad_plugin(baregrad::Kernels* table) { table->gemm = my_gemm; }
extern "C" __attribute__((visibility("default"))) void baregrad_plugin(baregrad::Kernels* table);

// One that nvcc compiled has a runtime of its own, and exports what asks it for its cudaGetLastError.
extern "C" __attribute__((visibility("default"))) int baregrad_last_error();

#endif
