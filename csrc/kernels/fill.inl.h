// One value everywhere.
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// value -> out (...)
template <class Item>
void fill_items(Item* out, const Strides& out_strides, const Extents& extents, Item value) {
  const int64_t step = out_strides.step[extents.rank - 1];
  for_rows<1>(extents, {out_strides}, kElementwiseGrain,
              [=](int64_t, const int64_t(&offset)[1], int64_t n) {
                Item* row = out + offset[0];
                if (step == 1)
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
