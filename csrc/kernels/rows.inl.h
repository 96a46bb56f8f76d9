#pragma once
// Loops over rows of floats: a body written once for whole vectors and tails, sums whose error does
// not grow with their length, and the exponentials of softmax.

namespace baregrad::BAREGRAD_ISA {
namespace {

// What a body reads and writes through: a whole vector, or the first n lanes of one.
struct Whole {
  Vec read(const float* p, float = 0.f) const { return load(p); }
  void write(float* p, Vec v) const { store(p, v); }
};
struct Part {
  int64_t n;
  Vec read(const float* p, float fill = 0.f) const { return load_n(p, n, fill); }
  void write(float* p, Vec v) const { store_n(p, v, n); }
};

// body(lanes, j) for each vector of [0, n)
template <class Body>
inline void for_vectors(int64_t n, Body body) {
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) body(Whole(), j);
  if (j < n) body(Part{n - j}, j);
}

// Whole vectors that go past the caches.
struct Past {
  Vec read(const float* p, float = 0.f) const { return load(p); }
  void write(float* p, Vec v) const { stream(p, v); }
};

// Whether n numbers of out are more than a cache keeps for the next op, and may go past it.
constexpr int64_t kCacheFloats = 1 << 23;  // 32 MiB
inline bool outgrow_caches(const void* out, int64_t n) {
  return n >= kCacheFloats && reinterpret_cast<uintptr_t>(out) % sizeof(Vec) == 0;
}

// body(lanes, j) for each vector of [begin, end), past the caches if so wished; begin is a multiple
// of a vector
template <class Body>
inline void for_vectors(int64_t begin, int64_t end, bool past, Body body) {
  const int64_t whole = begin + (end - begin) / kLanes * kLanes;
  if (past) {
    for (int64_t j = begin; j < whole; j += kLanes) body(Past(), j);
    finish_streams();
  } else {
    for (int64_t j = begin; j < whole; j += kLanes) body(Whole(), j);
  }
  if (whole < end) body(Part{end - whole}, whole);
}

constexpr float kInfinity = __builtin_inff();

struct Plus {
  static constexpr float kNothing = 0.f;
  template <class Number>
  static Number combine(Number a, Number b) {
    return a + b;
  }
};

// The larger, the smaller; NaN if either is NaN.
struct Larger {
  static constexpr float kNothing = -kInfinity;
  template <class Number>
  static Number combine(Number a, Number b) {
    return ((b > a) | (b != b)) ? b : a;
  }
};
struct Smaller {
  static constexpr float kNothing = kInfinity;
  template <class Number>
  static Number combine(Number a, Number b) {
    return ((b < a) | (b != b)) ? b : a;
  }
};

// A sum runs this many steps in float32 and goes on in float64. No number passes through more than
// 2.5 times as many float32 additions, however many there are: Totals adds three levels, and rows.
constexpr int64_t kSumDepth = 64;

// Totals of several terms over runs of floats, such as the rows of one channel.
template <class Op, int kTotals>
class Totals {
 public:
  Totals() {
    for (int k = 0; k < kTotals; ++k) {
      total_[k] = double(Op::kNothing);
      rest_[k] = broadcast(Op::kNothing);
    }
  }

  // term(lanes, j, t) leaves the terms at j of [0, n) in t, and Op::kNothing beyond a part's lanes.
  template <class Term>
  void add(int64_t n, Term term) {
    int64_t j = 0;
    while (n - j >= kStep) {
      const int64_t end = j + least((n - j) / kStep, kSumDepth) * kStep;
      Vec sum[kTotals][kChains];
      for (auto& chains : sum)
        for (Vec& chain : chains) chain = broadcast(Op::kNothing);
      for (; j < end; j += kStep)
#pragma GCC unroll 8
        for (int v = 0; v < kChains; ++v) {
          Vec t[kTotals];
          term(Whole(), j + v * kLanes, t);
          for (int k = 0; k < kTotals; ++k) sum[k][v] = Op::combine(sum[k][v], t[k]);
        }
      for (int half = kChains / 2; half > 0; half /= 2)
        for (int k = 0; k < kTotals; ++k)
          for (int v = 0; v < half; ++v) sum[k][v] = Op::combine(sum[k][v], sum[k][v + half]);
      Vec first[kTotals];
      for (int k = 0; k < kTotals; ++k) first[k] = sum[k][0];
      keep(first);
    }
    for_vectors(n - j, [&](auto lanes, int64_t i) {
      Vec t[kTotals];
      term(lanes, j + i, t);
      keep(t);
    });
  }

  double get(int k) {
    flush();
    return total_[k];
  }

 private:
  // Sums side by side: an addition takes 4 cycles on each of two units.
  static constexpr int kChains = kTotals == 1 ? 8 : 4;
  static constexpr int64_t kStep = kChains * kLanes;

  void keep(const Vec (&t)[kTotals]) {
    for (int k = 0; k < kTotals; ++k) rest_[k] = Op::combine(rest_[k], t[k]);
    if (++depth_ == kSumDepth) flush();
  }
  void flush() {
    for (int k = 0; k < kTotals; ++k) {
      const float sum = combine_lanes(rest_[k], Op::template combine<float>);
      total_[k] = Op::combine(total_[k], double(sum));
      rest_[k] = broadcast(Op::kNothing);
    }
    depth_ = 0;
  }

  double total_[kTotals];
  Vec rest_[kTotals];
  int64_t depth_ = 0;
};

// Columns whose totals are worked out at a time: 1 KiB of sums, which stays in the nearest cache.
constexpr int64_t kColumns = 256;
static_assert(kColumns % kLanes == 0);

// Columns that threads take at least: a cache line of what they write.
constexpr int64_t kColumnGrain = 16;

// body(column, columns) for pieces of at most kColumns of the c columns of n rows, on all threads
template <class Body>
inline void for_columns(int64_t n, int64_t c, Body body) {
  const int64_t grain = round_up(kElementwiseGrain / (n + 1) + 1, kColumnGrain);
  const auto pieces = [=](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; column += kColumns)
      body(column, least(kColumns, end - column));
  };
  parallel_for(c, grain, pieces, kColumns);
}

// Rows of at most kColumns numbers between which to ask whether the work was stopped: 20 us of them.
constexpr int64_t kRowsAtOnce = 256;

// body(i) for rows [0, n), each of at most kColumns numbers
template <class Body>
inline void for_short_rows(int64_t n, Body body) {
  for (int64_t i = 0; i < n && !is_stopped();)
    for (const int64_t end = least(n, i + kRowsAtOnce); i < end; ++i) body(i);
}

// total (kTotals, columns <= kColumns), over rows: term(lanes, row(i), j, t) leaves the terms at
// row i, column j in t.
template <class Op, int kTotals, class Row, class Term>
inline void fold_columns(int64_t rows, int64_t columns, double (&total)[kTotals][kColumns], Row row,
                         Term term) {
  constexpr int64_t kTogether = 4;  // rows for which a sum is read and written once
  for (auto& totals : total)
    for (int64_t j = 0; j < columns; ++j) totals[j] = double(Op::kNothing);
  for (int64_t i = 0; i < rows && !is_stopped();) {
    float sum[kTotals][kColumns];
    for (auto& sums : sum)
      for (int64_t j = 0; j < columns; j += kLanes) store(sums + j, broadcast(Op::kNothing));
    const int64_t end = least(rows, i + kSumDepth * kTogether);
    for (; i + kTogether <= end; i += kTogether) {
      const auto a = row(i), b = row(i + 1), c = row(i + 2), d = row(i + 3);
      for_vectors(columns, [&](auto lanes, int64_t j) {
        Vec ta[kTotals], tb[kTotals], tc[kTotals], td[kTotals];
        term(lanes, a, j, ta);
        term(lanes, b, j, tb);
        term(lanes, c, j, tc);
        term(lanes, d, j, td);
        for (int k = 0; k < kTotals; ++k) {
          const Vec four = Op::combine(Op::combine(ta[k], tb[k]), Op::combine(tc[k], td[k]));
          store(sum[k] + j, Op::combine(load(sum[k] + j), four));
        }
      });
    }
    for (; i < end; ++i) {
      const auto a = row(i);
      for_vectors(columns, [&](auto lanes, int64_t j) {
        Vec t[kTotals];
        term(lanes, a, j, t);
        for (int k = 0; k < kTotals; ++k) store(sum[k] + j, Op::combine(load(sum[k] + j), t[k]));
      });
    }
    for (int k = 0; k < kTotals; ++k)
      for (int64_t j = 0; j < columns; ++j)
        total[k][j] = Op::combine(total[k][j], double(sum[k][j]));
  }
}

// Numbers that one thread takes at a time where each costs an exponential: 16 Ki take about 10 us.
constexpr int64_t kSoftmaxGrain = 1 << 14;

struct SoftmaxRow {
  float max, sum;  // of x, of exp(x - max)
};

inline float largest(const float* x, int64_t c) {
  Vec found = broadcast(-kInfinity);
  for_vectors(c, [&](auto lanes, int64_t j) { found = max(lanes.read(x + j, -kInfinity), found); });
  return max_lanes(found);
}

// each(i, row) for rows [begin, end) of x (..., c), after row i of e, unless e is null, is
// exp(x - max x). e may be x. The largest of the next row is looked for meanwhile, so that the row
// comes from memory while there is something to compute.
template <class Each>
inline void for_exponentials(const float* x, float* e, int64_t begin, int64_t end, int64_t c,
                             Each each) {
  float row_max = begin < end ? largest(x + begin * c, c) : 0.f;
  for (int64_t i = begin; i < end; ++i) {
    const float *row = x + i * c, *next = i + 1 < end ? row + c : row;
    Vec sum = {}, next_max = broadcast(-kInfinity);
    // After the largest is taken away exp is at most 1: it cannot overflow. exp(-inf - row_max) is 0,
    // which adds nothing; it is NaN where the whole row has to be.
    for_vectors(c, [&](auto lanes, int64_t j) {
      next_max = max(lanes.read(next + j, -kInfinity), next_max);
      const Vec v = exp_up_to_89(lanes.read(row + j, -kInfinity) - row_max);
      if (e) lanes.write(e + i * c + j, v);
      sum += v;
    });
    each(i, SoftmaxRow{row_max, sum_lanes(sum)});
    row_max = max_lanes(next_max);
  }
}

// out (c,) = x (c,) * factor. out may be x.
inline void scale(const float* x, float factor, float* out, int64_t c) {
  for_vectors(c, [=](auto lanes, int64_t j) { lanes.write(out + j, lanes.read(x + j) * factor); });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
