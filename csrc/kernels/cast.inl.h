// The same numbers as another type.

namespace baregrad::BAREGRAD_ISA {
namespace {

template <class T>
constexpr bool kIsFloat = T(0.5f) == 0.5f;
template <class T>
constexpr bool kIsBool = T(2) == T(1);

// A float that no integer of this type can hold becomes the nearest one, and NaN 0: C++ leaves such
// a conversion undefined, and CPUs differ.
template <class From, class To>
inline To converted(From x) {
  if constexpr (kIsFloat<From> && !kIsFloat<To> && !kIsBool<To>) {
    constexpr bool kSigned = To(-1) < To(0);
    constexpr int kBits = int(sizeof(To)) * 8 - kSigned;
    constexpr From kEnd = From(uint64_t(1) << (kBits - 1)) * 2;  // the first integer too large
    constexpr To kMost = To(~uint64_t(0) >> (64 - kBits)), kLeast = kSigned ? To(~kMost) : To(0);
    if (x >= kEnd) return kMost;
    if (x <= (kSigned ? -kEnd : From(0))) return kLeast;
    return x == x ? To(x) : To(0);
  } else {
    return To(x);  // to bool: whether it is not 0
  }
}

// x (n,) -> out (n,)
template <class From, class To>
void convert(const void* x_, void* out_, int64_t n) {
  const From* x = static_cast<const From*>(x_);
  To* out = static_cast<To*>(out_);
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = converted<From, To>(x[i]);
  });
}

template <class From>
void convert_from(const void* x, void* out, NumberType to, int64_t n) {
  switch (to) {
#define BAREGRAD_CASE(name, type) \
  case number_##name:             \
    return convert<From, type>(x, out, n);
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

void cast(const void* x, NumberType from, void* out, NumberType to, int64_t n) {
  switch (from) {
#define BAREGRAD_CASE(name, type) \
  case number_##name:             \
    return convert_from<type>(x, out, to, n);
    BAREGRAD_NUMBERS(BAREGRAD_CASE)
#undef BAREGRAD_CASE
  }
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
