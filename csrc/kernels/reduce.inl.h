// Reductions over any axes. Vectors run along whichever axis is contiguous: along the reduced ones
// (rows) or along the kept ones (columns). Where little is kept and much reduced, the reduced
// elements are cut into pieces by shape alone, whose totals are combined in order.
#include "rows.inl.h"
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

namespace folds {

struct sum {
  using Op = Plus;
  static constexpr bool kCentred = false;
  static Vec term(Vec x, Vec) { return x; }
  static float fill(float) { return 0.f; }  // what a tail's empty lanes hold
};

struct squares {
  using Op = Plus;
  static constexpr bool kCentred = true;
  static Vec term(Vec x, Vec mean) { return (x - mean) * (x - mean); }
  static float fill(float mean) { return mean; }
};

template <class Extreme>
struct extreme {
  using Op = Extreme;
  static constexpr bool kCentred = false;
  static Vec term(Vec x, Vec) { return x; }
  static float fill(float) { return Extreme::kNothing; }
};

}  // namespace folds

struct Reduction {
  const float* x;
  Extents kept;
  Strides kept_strides;
  Extents reduced;
  Strides reduced_strides;
  float* out;       // with kCentred it holds the means
  double* partial;  // (pieces, kept) where there are several pieces
  double divisor;   // of the total

  void finish(int64_t place, double total) const { out[place] = float(total / divisor); }
};

// Elements of a piece at least, 10 us of work, and those of one output; tasks that are enough.
constexpr int64_t kPieceElements = 1 << 16, kPieceDepth = 256, kEnoughTasks = 64;

inline int64_t reduce_pieces(int64_t kept, int64_t reduced) {
  if (kept == 0 || reduced == 0) return 1;
  const int64_t tasks = divide_up(kEnoughTasks, divide_up(kept, kColumns));
  const int64_t most = least(divide_up(kept * reduced, kPieceElements), tasks);
  return least(most, divide_up(reduced, kPieceDepth));
}

int64_t reduce_workspace(int64_t kept, int64_t reduced) {
  const int64_t pieces = reduce_pieces(kept, reduced);
  return pieces > 1 ? pieces * kept * int64_t(sizeof(double)) : 0;
}

// x (n,), `step` apart -> itself if they are neighbours, or a copy in buffer
inline const float* side_by_side(const float* x, int64_t step, int64_t n, float* buffer) {
  if (step == 1) return x;
  for (int64_t i = 0; i < n; ++i) buffer[i] = x[i * step];
  return buffer;
}

// The elements [begin, end) of output k -> their total
template <class Fold>
inline double fold_row(const Reduction& r, int64_t k, int64_t begin, int64_t end) {
  const float center = Fold::kCentred ? r.out[k] : 0.f;
  const float* x = r.x + offset_of(k, r.kept, r.kept_strides);
  const int64_t step = r.reduced_strides.step[r.reduced.rank - 1];
  Totals<typename Fold::Op, 1> total;
  walk_rows<1>(r.reduced, {r.reduced_strides}, begin, end,
               [&](int64_t, const int64_t* offset, int64_t n) {
                 const int64_t run = step == 1 ? n : kColumns;
                 for (int64_t i = 0; i < n; i += run) {
                   float buffer[kColumns];
                   const int64_t length = least(run, n - i);
                   const float* p = side_by_side(x + offset[0] + i * step, step, length, buffer);
                   total.add(length, [=](auto lanes, int64_t j, Vec* t) {
                     t[0] = Fold::term(lanes.read(p + j, Fold::fill(center)), broadcast(center));
                   });
                 }
               });
  return total.get(0);
}

// Each output by itself, vectors along the reduced axes.
template <class Fold>
void fold_rows(const Reduction& r, int64_t kept, int64_t reduced, int64_t pieces) {
  const int64_t grain = kElementwiseGrain / (reduced / pieces + 1) + 1;
  parallel_for(kept * pieces, grain, [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t k = task / pieces, piece = task % pieces;
      const double total = fold_row<Fold>(r, k, part_begin(reduced, piece, pieces),
                                          part_begin(reduced, piece + 1, pieces));
      if (pieces == 1)
        r.finish(k, total);
      else
        r.partial[piece * kept + k] = total;
    }
  });
}

// Neighbouring outputs, up to kColumns, side by side in vectors.
template <class Fold>
void fold_columns_of(const Reduction& r, int64_t kept, int64_t reduced, int64_t pieces) {
  const int64_t width = r.kept.length[r.kept.rank - 1], blocks = divide_up(width, kColumns);
  const int64_t tasks = width ? kept / width * blocks * pieces : 0;
  const int64_t cost = (reduced / pieces + 1) * least(width, kColumns);
  parallel_for(tasks, kElementwiseGrain / (cost + 1) + 1, [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t piece = task % pieces, column = task / pieces % blocks * kColumns;
      const int64_t k = task / pieces / blocks * width + column;
      const int64_t columns = least(kColumns, width - column);
      const int64_t begin = part_begin(reduced, piece, pieces);
      const int64_t end = part_begin(reduced, piece + 1, pieces);
      const float* x = r.x + offset_of(k, r.kept, r.kept_strides);
      const float* center = r.out + k;
      double total[1][kColumns];
      fold_columns<typename Fold::Op>(
          end - begin, columns, total,
          [&](int64_t i) { return x + offset_of(begin + i, r.reduced, r.reduced_strides); },
          [=](auto lanes, const float* p, int64_t j, Vec* t) {
            t[0] = Fold::term(lanes.read(p + j), Fold::kCentred ? lanes.read(center + j) : Vec{});
          });
      for (int64_t j = 0; j < columns; ++j)
        if (pieces == 1)
          r.finish(k + j, total[0][j]);
        else
          r.partial[piece * kept + k + j] = total[0][j];
    }
  });
}

template <class Fold>
void fold(const Reduction& r) {
  const int64_t kept = elements(r.kept), reduced = elements(r.reduced);
  const int64_t pieces = reduce_pieces(kept, reduced);
  const bool rows = r.reduced_strides.step[r.reduced.rank - 1] == 1;
  if (!rows && r.kept_strides.step[r.kept.rank - 1] == 1)
    fold_columns_of<Fold>(r, kept, reduced, pieces);
  else
    fold_rows<Fold>(r, kept, reduced, pieces);
  if (pieces == 1) return;
  parallel_for(kept, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      double total = r.partial[k];
      for (int64_t piece = 1; piece < pieces; ++piece)
        total = Fold::Op::combine(total, r.partial[piece * kept + k]);
      r.finish(k, total);
    }
  });
}

// x (kept, reduced) -> out (kept,)
void reduce(ReduceKind kind, const float* x, Extents kept, Strides kept_strides, Extents reduced,
            Strides reduced_strides, float* out, double correction, void* workspace) {
  Reduction r = {
      x, kept, kept_strides, reduced, reduced_strides, out, static_cast<double*>(workspace), 1};
  const double n = double(elements(reduced));
  switch (kind) {
    case reduce_sum:
      return fold<folds::sum>(r);
    case reduce_max:
      return fold<folds::extreme<Larger>>(r);
    case reduce_min:
      return fold<folds::extreme<Smaller>>(r);
    case reduce_mean:
      r.divisor = n;
      return fold<folds::sum>(r);
    case reduce_var:  // the mean first: sum x^2 - n mean^2 would cancel
      r.divisor = n;
      fold<folds::sum>(r);
      r.divisor = n > correction ? n - correction : 0;
      return fold<folds::squares>(r);
  }
}

// x (n,), n >= 1 -> the first place of the largest or smallest, or of NaN
template <class Op>
inline int64_t place_in_row(const float* x, int64_t n) {
  Totals<Op, 1> total;
  total.add(n, [=](auto lanes, int64_t j, Vec* t) { t[0] = lanes.read(x + j, Op::kNothing); });
  const float best = float(total.get(0));
  int64_t i = 0;
  // Where NaN is the best nothing equals it, and where it is not there is none.
  const auto is_best = [best](auto v) { return (v == best) | (v != v); };
  constexpr int kTogether = 8;  // vectors
  for (; i + kTogether * kLanes <= n; i += kTogether * kLanes) {
    Int found = {};
    for (int v = 0; v < kTogether; ++v) found |= is_best(load(x + i + v * kLanes));
    int32_t any = 0;
    for (int l = 0; l < kLanes; ++l) any |= found[l];
    if (any) break;
  }
  while (!is_best(x[i])) ++i;
  return i;
}

// Whether b takes the place of a.
template <class Op, class Number>
inline auto is_better(Number b, Number a) {
  if constexpr (Op::kNothing < 0)
    return (b > a) | ((b != b) & (a == a));
  else
    return (b < a) | ((b != b) & (a == a));
}

// x (length, columns <= kColumns), rows `step` apart -> out (columns,)
template <class Op>
inline void places_in_columns(const float* x, int64_t length, int64_t step, int64_t columns,
                              int64_t* out) {
  float best[kColumns];
  int32_t place[kColumns] = {};
  for_vectors(columns, [&](auto lanes, int64_t j) { store(best + j, lanes.read(x + j)); });
  for_short_rows(length, [&](int64_t i) {
    for_vectors(columns, [&](auto lanes, int64_t j) {
      const Vec v = lanes.read(x + i * step + j), before = load(best + j);
      const Int better = is_better<Op>(v, before);
      Int places;
      __builtin_memcpy(&places, place + j, sizeof places);
      places = better ? Int{} + int32_t(i) : places;
      store(best + j, better ? v : before);
      __builtin_memcpy(place + j, &places, sizeof places);
    });
  });
  for (int64_t j = 0; j < columns; ++j) out[j] = place[j];
}

template <class Op>
void place(const float* x, const Extents& kept, const Strides& kept_strides, int64_t length,
           int64_t step, int64_t* out) {
  const int last = kept.rank - 1;
  const int64_t grain = kElementwiseGrain / (length + 1) + 1;
  // Places are counted in 32 bits where they are found side by side.
  if (kept_strides.step[last] == 1 && step != 1 && length <= INT32_MAX)
    return for_rows<1>(
        kept, {kept_strides}, round_up(grain, kColumnGrain),
        [=](int64_t k, const int64_t* offset, int64_t n) {
          for (int64_t j = 0; j < n; j += kColumns)
            places_in_columns<Op>(x + offset[0] + j, length, step, least(kColumns, n - j),
                                  out + k + j);
        },
        kColumns);
  parallel_for(elements(kept), grain, [=, &kept, &kept_strides](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const float* p = x + offset_of(k, kept, kept_strides);
      if (step == 1) {
        out[k] = place_in_row<Op>(p, length);
        continue;
      }
      out[k] = 0;
      for (int64_t i = 1; i < length; ++i)
        if (is_better<Op>(p[i * step], p[out[k] * step])) out[k] = i;
    }
  });
}

// x (kept, length) -> out (kept,)
void reduce_place(PlaceKind kind, const float* x, Extents kept, Strides kept_strides,
                  int64_t length, int64_t step, int64_t* out) {
  if (kind == place_argmax) return place<Larger>(x, kept, kept_strides, length, step, out);
  return place<Smaller>(x, kept, kept_strides, length, step, out);
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
