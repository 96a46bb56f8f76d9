// Copies between arrays of any strides.
#include "rows.inl.h"
#include "strided.inl.h"

namespace baregrad::BAREGRAD_ISA {
namespace {

// A square of a transposed plane: 16 floats are a cache line of it either way.
constexpr int64_t kCopyTile = 16;

// x (rows, columns) -> out (rows, columns), by tiles, so that of a transposed operand each cache line
// is read once. Steps along rows and columns.
template <class Item>
void copy_plane(const Item* x, int64_t x_row, int64_t x_column, Item* out, int64_t out_row,
                int64_t out_column, int64_t rows, int64_t columns) {
  for (int64_t j0 = 0; j0 < columns; j0 += kCopyTile) {
    const int64_t j1 = least(j0 + kCopyTile, columns);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = j0; j < j1; ++j)
        out[i * out_row + j * out_column] = x[i * x_row + j * x_column];
  }
}

// x (...) -> out (...), whose last two axes are planes that cannot be copied by whole rows
template <class Item>
void copy_planes(const Item* x, const Strides& x_strides, Item* out, const Strides& out_strides,
                 const Extents& extents) {
  const int column = extents.rank - 1, row = column - 1;
  const int64_t rows = extents.length[row], columns = extents.length[column];
  Extents strips = {row + 1, {}};  // kCopyTile rows each
  Strides x_strips = x_strides, out_strips = out_strides;
  for (int axis = 0; axis < row; ++axis) strips.length[axis] = extents.length[axis];
  strips.length[row] = divide_up(rows, kCopyTile);
  x_strips.step[row] *= kCopyTile;
  out_strips.step[row] *= kCopyTile;
  const int64_t grain = divide_up(kElementwiseGrain, kCopyTile * columns + 1);
  for_rows<2>(strips, {x_strips, out_strips}, grain,
              [&](int64_t first, const int64_t(&offset)[2], int64_t n) {
                for (int64_t strip = 0; strip < n; ++strip) {
                  const int64_t i = (first + strip) % strips.length[row] * kCopyTile;
                  copy_plane(x + offset[0] + strip * x_strips.step[row], x_strides.step[row],
                             x_strides.step[column], out + offset[1] + strip * out_strips.step[row],
                             out_strides.step[row], out_strides.step[column],
                             least(kCopyTile, rows - i), columns);
                }
              });
}

// x (n,) -> out (n,), past the caches
inline void copy_past(const void* x, void* out, int64_t n) {
  const float* from = static_cast<const float*>(x);
  float* to = static_cast<float*>(out);
  for_vectors(0, n, true,
              [=](auto lanes, int64_t j) { lanes.write(to + j, lanes.read(from + j)); });
}

// x (...) -> out (...)
template <class Item>
void copy_items(const Item* x, const Strides& x_strides, Item* out, const Strides& out_strides,
                const Extents& extents) {
  const int last = extents.rank - 1;
  const int64_t x_step = x_strides.step[last], out_step = out_strides.step[last];
  if (last > 0 && x_step != 0 && (x_step != 1 || out_step != 1))
    return copy_planes(x, x_strides, out, out_strides, extents);
  const bool past = x_step == 1 && out_step == 1 && outgrow_caches(out, elements(extents));
  for_rows<2>(extents, {x_strides, out_strides}, kElementwiseGrain,
              [=](int64_t, const int64_t(&offset)[2], int64_t n) {
                const Item* from = x + offset[0];
                Item* to = out + offset[1];
                if (sizeof(Item) == sizeof(float) && past && offset[1] % kLanes == 0)
                  copy_past(from, to, n);
                else if (x_step == 1 && out_step == 1)
                  for (int64_t j = 0; j < n; ++j) to[j] = from[j];
                else
                  for (int64_t j = 0; j < n; ++j) to[j * out_step] = from[j * x_step];
              });
}

void copy_strided(const void* x, Strides x_strides, void* out, Strides out_strides, Extents extents,
                  int64_t item) {
#define BAREGRAD_COPY(Item)                                                                  \
  if (item == sizeof(Item))                                                                  \
    copy_items(static_cast<const Item*>(x), x_strides, static_cast<Item*>(out), out_strides, \
               extents);
  BAREGRAD_COPY(uint8_t)
  BAREGRAD_COPY(uint32_t)
  BAREGRAD_COPY(uint64_t)
#undef BAREGRAD_COPY
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
