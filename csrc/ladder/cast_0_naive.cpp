// Rung 0: C's own conversions, but for the floats that an integer cannot hold.
#include <limits>
#include <type_traits>

#include "../kernels.h"

namespace {

using namespace baregrad;

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To> &&
                !std::is_same_v<To, bool>) {
    constexpr To kLeast = std::numeric_limits<To>::min(), kMost = std::numeric_limits<To>::max();
    if (x != x) return 0;
    if (x <= From(kLeast)) return kLeast;
    if (x >= From(kMost)) return kMost;
  }
  return To(x);
}

template <class To, class From>
void convert_all(const From* x, To* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i]);
}

template <class From>
void convert_to(const From* x, void* out, NumberType to, int64_t n) {
  switch (to) {
#define BAREGRAD_CASE(name, type) \
  case number_##name:             \
    return convert_all(x, static_cast<type*>(out), n);
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

// x (n,) -> out (n,)
void cast(const void* x, NumberType from, void* out, NumberType to, int64_t n) {
  switch (from) {
#define BAREGRAD_CASE(name, type) \
  case number_##name:             \
    return convert_to(static_cast<const type*>(x), out, to, n);
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->cast = cast; }
