// Rung 0: for each element kept, the elements that are reduced, one after another, in double.
#include "../kernels.h"

namespace {

using namespace baregrad;

int64_t elements(const Extents& extents) {
  int64_t n = 1;
  for (int axis = 0; axis < extents.rank; ++axis) n *= extents.length[axis];
  return n;
}

// Where element q of an operand is, q counted in row-major order.
int64_t place(int64_t q, const Extents& extents, const Strides& strides) {
  int64_t at = 0;
  for (int axis = extents.rank - 1; axis >= 0; q /= extents.length[axis], --axis)
    at += q % extents.length[axis] * strides.step[axis];
  return at;
}

// The larger or the smaller; NaN if either is, and a of equals.
bool replaces(double b, double a, bool larger) {
  return a == a && (b != b || (larger ? b > a : b < a));
}

// x (kept, reduced) -> out (kept,)
void reduce(ReduceKind kind, const float* x, Extents kept, Strides kept_strides, Extents reduced,
            Strides reduced_strides, float* out, double correction, void*) {
  const int64_t n = elements(reduced);
  for (int64_t i = 0; i < elements(kept); ++i) {
    const float* from = x + place(i, kept, kept_strides);
    const auto at = [&](int64_t q) -> double { return from[place(q, reduced, reduced_strides)]; };
    double sum = 0, squares = 0, largest = -__builtin_inf(), smallest = __builtin_inf();
    for (int64_t q = 0; q < n; ++q) {
      sum += at(q);
      if (replaces(at(q), largest, true)) largest = at(q);
      if (replaces(at(q), smallest, false)) smallest = at(q);
    }
    const double mean = sum / double(n), divisor = double(n) - correction;
    for (int64_t q = 0; q < n; ++q) squares += (at(q) - mean) * (at(q) - mean);
    switch (kind) {
      case reduce_sum:
        out[i] = float(sum);
        break;
      case reduce_mean:
        out[i] = float(mean);
        break;
      case reduce_max:
        out[i] = float(largest);
        break;
      case reduce_min:
        out[i] = float(smallest);
        break;
      case reduce_var:
        out[i] = float(squares / (divisor > 0 ? divisor : 0));
        break;
    }
  }
}

int64_t reduce_workspace(int64_t, int64_t) { return 0; }

// x (kept, length) -> out (kept,)
void reduce_place(PlaceKind kind, const float* x, Extents kept, Strides kept_strides,
                  int64_t length, int64_t step, int64_t* out) {
  for (int64_t i = 0; i < elements(kept); ++i) {
    const float* from = x + place(i, kept, kept_strides);
    out[i] = 0;
    for (int64_t q = 1; q < length; ++q)
      if (replaces(from[q * step], from[out[i] * step], kind == place_argmax)) out[i] = q;
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->reduce = reduce;
  table->reduce_workspace = reduce_workspace;
  table->reduce_place = reduce_place;
}
