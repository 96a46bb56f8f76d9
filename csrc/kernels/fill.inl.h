// One value everywhere.
#include "rows.inl.h"
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// value -> out (n,), past the caches
inline void fill_past(void* out, uint32_t value, int64_t n) {
  float* to = static_cast<float*>(out);
  for_vectors(0, n, true,
              [=](auto lanes, int64_t j) { lanes.write(to + j, floats(Bits{} + value)); });
}

// value -> out (...)
template <class Item>
void fill_items(Item* out, const Strides& out_strides, const Extents& extents, Item value) {
  const int64_t step = out_strides.step[extents.rank - 1];
  const bool past = step == 1 && outgrow_caches(out, elements(extents));
  for_rows<1>(extents, {out_strides}, kElementwiseGrain,
              [=](int64_t, const int64_t(&offset)[1], int64_t n) {
                Item* row = out + offset[0];
                if (sizeof(Item) == sizeof(float) && past && offset[0] % kLanes == 0)
                  fill_past(row, uint32_t(value), n);
                else if (step == 1)
                  for (int64_t j = 0; j < n; ++j) row[j] = value;
                else
                  for (int64_t j = 0; j < n; ++j) row[j * step] = value;
              });
}

void fill(void* out, Strides out_strides, Extents extents, uint64_t bits, int64_t item) {
  if (item == 1) fill_items(static_cast<uint8_t*>(out), out_strides, extents, uint8_t(bits));
  if (item == 4) fill_items(static_cast<uint32_t*>(out), out_strides, extents, uint32_t(bits));
  if (item == 8) fill_items(static_cast<uint64_t*>(out), out_strides, extents, bits);
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
