// Reductions over any axes: a block of kThreads combines the elements of one output, or of kWarp
// neighbouring outputs whose elements lie side by side. Where little is kept and much reduced, the
// reduced elements are cut into pieces, whose totals a second kernel combines in order.
#include <math.h>

#include "strided.cuh"
#include "sums.cuh"

namespace baregrad {
namespace {

struct Totalled {
  __device__ static double combine(double a, double b) { return a + b; }
  __device__ void add(float x) { sum.add(x); }
  __device__ double get() const { return sum.get(); }
  RunningSum sum;
};

struct SumFold : Totalled {
  __device__ void take(float x, float) { add(x); }
};

struct SquaresFold : Totalled {
  __device__ void take(float x, float mean) { add((x - mean) * (x - mean)); }
};

// NaN stays: fmax would drop it.
struct MaxFold {
  __device__ static double combine(double a, double b) { return b > a || b != b ? b : a; }
  __device__ void take(float x, float) { best = combine(best, x); }
  __device__ double get() const { return best; }
  double best = -INFINITY;
};

struct MinFold {
  __device__ static double combine(double a, double b) { return b < a || b != b ? b : a; }
  __device__ void take(float x, float) { best = combine(best, x); }
  __device__ double get() const { return best; }
  double best = INFINITY;
};

struct Reduction {
  const float* x;
  Extents kept;
  Strides kept_strides;
  Extents reduced;
  Strides reduced_strides;
  const float* center;  // (kept,) or null
  float* out;           // may be center
  double* partial;      // (pieces, kept) where there are several pieces
  double divisor;       // of the total
  int64_t pieces;
  int width;  // outputs of a block, 1 or kWarp
};

// x (kept, reduced) -> out (kept,), or partial (pieces, kept)
template <class Fold>
__global__ void reduce_kernel(Reduction r) {
  __shared__ double totals[kThreads];
  const int thread = threadIdx.x;
  const int64_t kept = elements(r.kept), reduced = elements(r.reduced);
  const int64_t blocks = divide_up(kept, r.width) * r.pieces;
  for (int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const int64_t piece = block % r.pieces, end = part_begin(reduced, piece + 1, r.pieces);
    const int64_t k = block / r.pieces * r.width + thread % r.width;
    Fold fold;
    if (k < kept) {
      const float* x = r.x + offset_of(k, r.kept, r.kept_strides);
      const float center = r.center ? r.center[k] : 0.f;
      for (int64_t i = part_begin(reduced, piece, r.pieces) + thread / r.width; i < end;
           i += kThreads / r.width)
        fold.take(x[offset_of(i, r.reduced, r.reduced_strides)], center);
    }
    totals[thread] = fold.get();
    for (int half = kThreads / 2; half >= r.width; half /= 2) {
      __syncthreads();
      if (thread < half) totals[thread] = Fold::combine(totals[thread], totals[thread + half]);
    }
    if (thread < r.width && k < kept) {
      if (r.pieces == 1)
        r.out[k] = float(totals[thread] / r.divisor);
      else
        r.partial[piece * kept + k] = totals[thread];
    }
    __syncthreads();  // the next block's totals overwrite these
  }
}

// partial (pieces, kept) -> out (kept,)
template <class Fold>
__global__ void combine_pieces_kernel(const double* partial, float* out, int64_t kept,
                                      int64_t pieces, double divisor) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t k = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; k < kept; k += stride) {
    double total = partial[k];
    for (int64_t piece = 1; piece < pieces; ++piece)
      total = Fold::combine(total, partial[piece * kept + k]);
    out[k] = float(total / divisor);
  }
}

// Elements of a piece at least, and blocks that fill a device.
constexpr int64_t kPieceElements = 4096, kEnoughBlocks = 1024;

int64_t pieces_of(int64_t kept, int64_t reduced) {
  if (kept == 0 || reduced == 0) return 1;
  const int64_t blocks = divide_up(kEnoughBlocks, divide_up(kept, kWarp));
  const int64_t most = divide_up(reduced, kPieceElements);
  return most < blocks ? most : blocks;
}

template <class Fold>
void launch(const Reduction& r, cudaStream_t stream) {
  const int64_t kept = elements(r.kept);
  if (kept == 0) return;
  reduce_kernel<Fold>
      <<<blocks_for(divide_up(kept, r.width) * r.pieces, 1), kThreads, 0, stream>>>(r);
  if (r.pieces > 1)
    combine_pieces_kernel<Fold><<<blocks_for(kept, kThreads), kThreads, 0, stream>>>(
        r.partial, r.out, kept, r.pieces, r.divisor);
}

struct Larger {
  __device__ static bool beats(float b, float a) { return b > a; }
};
struct Smaller {
  __device__ static bool beats(float b, float a) { return b < a; }
};

// Whether the element b at place j comes before a at place i: better, or as good and earlier.
template <class Order>
__device__ inline bool comes_first(float b, int64_t j, float a, int64_t i) {
  const bool same = a == b || (a != a && b != b);
  return same ? j < i : Order::beats(b, a) || b != b;
}

// x (kept, length) -> out (kept,), a warp per output
template <class Order>
__global__ void reduce_place_kernel(const float* x, Extents kept, Strides kept_strides,
                                    int64_t length, int64_t step, int64_t* out) {
  const int lane = threadIdx.x % kWarp;
  const int64_t count = elements(kept), stride = int64_t(gridDim.x) * kWarps;
  for (int64_t k = int64_t(blockIdx.x) * kWarps + threadIdx.x / kWarp; k < count; k += stride) {
    const float* row = x + offset_of(k, kept, kept_strides);
    int64_t place = lane < length ? lane : 0;
    float best = row[place * step];
    for (int64_t i = place + kWarp; i < length; i += kWarp)
      if (comes_first<Order>(row[i * step], i, best, place)) {
        best = row[i * step];
        place = i;
      }
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, best, offset);
      const int64_t there = __shfl_xor_sync(0xffffffffu, place, offset);
      if (comes_first<Order>(other, there, best, place)) {
        best = other;
        place = there;
      }
    }
    if (lane == 0) out[k] = place;
  }
}

}  // namespace

int64_t reduce_workspace(int64_t kept, int64_t reduced) {
  const int64_t pieces = pieces_of(kept, reduced);
  return pieces > 1 ? pieces * kept * int64_t(sizeof(double)) : 0;
}

void reduce(ReduceKind kind, const float* x, Extents kept, Strides kept_strides, Extents reduced,
            Strides reduced_strides, float* out, double correction, void* workspace,
            cudaStream_t stream) {
  const double n = double(elements(reduced));
  const bool rows = reduced_strides.step[reduced.rank - 1] == 1;
  Reduction r = {.x = x,
                 .kept = kept,
                 .kept_strides = kept_strides,
                 .reduced = reduced,
                 .reduced_strides = reduced_strides,
                 .center = nullptr,
                 .out = out,
                 .partial = static_cast<double*>(workspace),
                 .divisor = 1,
                 .pieces = pieces_of(elements(kept), elements(reduced)),
                 .width = !rows && kept_strides.step[kept.rank - 1] == 1 ? kWarp : 1};
  switch (kind) {
    case reduce_sum:
      return launch<SumFold>(r, stream);
    case reduce_max:
      return launch<MaxFold>(r, stream);
    case reduce_min:
      return launch<MinFold>(r, stream);
    case reduce_mean:
      r.divisor = n;
      return launch<SumFold>(r, stream);
    case reduce_var:  // the mean first: sum x^2 - n mean^2 would cancel
      r.divisor = n;
      launch<SumFold>(r, stream);
      r.center = out;
      r.divisor = n > correction ? n - correction : 0;
      return launch<SquaresFold>(r, stream);
  }
}

void reduce_place(PlaceKind kind, const float* x, Extents kept, Strides kept_strides,
                  int64_t length, int64_t step, int64_t* out, cudaStream_t stream) {
  const int64_t count = elements(kept);
  if (count == 0) return;
  const unsigned blocks = blocks_for(count, kWarps);
  if (kind == place_argmax)
    reduce_place_kernel<Larger>
        <<<blocks, kThreads, 0, stream>>>(x, kept, kept_strides, length, step, out);
  else
    reduce_place_kernel<Smaller>
        <<<blocks, kThreads, 0, stream>>>(x, kept, kept_strides, length, step, out);
}

}  // namespace baregrad
