// Rung 3: tiles of 4x4 outputs from 36 multiplications instead of 144. F(4x4, 3x3) of Winograd (1980)
// and of Lavin and Gray (2016): tiles of the input and filters are transformed, 6x6 numbers each;
// place by place, these are products of filters and planes; and what comes out is transformed to
// outputs. Lanes are images, so that a transform is sums of vectors, and a thread takes some tiles
// from input to output in its own cache. Numbers of a tile are added up before they are multiplied, and
// by factors of up to 8 after: a small output beside a large number of its tile is off by a share of
// that number. What is no 3x3 window one pixel apart of one group, or too small to gain (see `suits`),
// goes on to the kernel in use.
#include "../kernels.h"
#include "threads.h"
#include "vector.h"

namespace {

using namespace baregrad;

Kernels package;  // the table in use

constexpr int64_t kOut = 4, kIn = 6, kPlaces = kIn * kIn;  // pixels of a tile along an axis
constexpr int64_t kLeastTerms = 128;                       // of an output in a corner
constexpr int64_t kLeastRows = 8;                          // that share the transforms of a tile
// Sums of filters times tiles that registers hold: see rung 6 of GEMM.
constexpr int kRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4, kVectors = 2;
constexpr int64_t kWide = kVectors * kLanes;
// Of transformed tiles that a thread works with: 600 KiB, most of a second-level cache, and 8 at most.
constexpr int64_t kTaskFloats = 150 << 10, kTaskTiles = 8;
constexpr int64_t kRooms = 32;  // and threads, at most

// x (n, planes, h, w) -> out (n, rows, oh, ow) by 3x3 filters. Forward, or back from outputs to
// inputs: that is a convolution, too, by filters turned by 180 degrees, with 2 - padding of padding.
struct Plan {
  int64_t n, planes, h, w, rows, oh, ow, pad_h, pad_w;
  bool back;

  int64_t groups() const { return divide_up(n, kLanes); }  // of images
  int64_t down() const { return divide_up(oh, kOut); }
  int64_t across() const { return divide_up(ow, kOut); }
  // Tiles of a task, neighbours in a row, by pairs.
  int64_t chunk() const {
    const int64_t pairs = least(kTaskTiles, kTaskFloats / (kPlaces * planes * kLanes)) / kVectors;
    return least(round_up(across(), kVectors), (pairs > 1 ? pairs : 1) * kVectors);
  }
  int64_t tasks() const { return groups() * down() * divide_up(across(), chunk()); }

  int64_t height() const { return divide_up(rows, divide_up(rows, kRows)); }
  // Filters (rows / height, 36, planes, height); tiles (chunk / kVectors, 36, planes, kWide), the
  // places not a power of two apart, where their lines would evict each other.
  int64_t filter_floats() const { return kPlaces * round_up(rows, height()) * planes; }
  int64_t place() const { return planes * kWide + kLanes; }
  int64_t tile_floats() const { return divide_up(chunk(), kVectors) * kPlaces * place(); }
  int64_t room() const { return tile_floats() + kPlaces * kRows * kWide; }
  int64_t workspace() const {
    const int64_t rooms = least(tasks(), kRooms) * room();
    return (round_up(filter_floats(), kLanes) + rooms) * int64_t(sizeof(float));
  }
};

Plan plan(const Conv2dSize& s, bool back) {
  if (back) return {s.n, s.o, s.oh, s.ow, s.c, s.h, s.w, 2 - s.pad_h, 2 - s.pad_w, true};
  return {s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.pad_h, s.pad_w, false};
}

// Errors are those of a whole tile: an output in a corner, which sums the fewest products, would be
// further off than those may be if these were few. And tiles have to save half of the multiplications,
// in at least half of the lanes.
bool suits(const Conv2dSize& s, bool back) {
  if (s.kh != 3 || s.kw != 3 || s.stride_h != 1 || s.stride_w != 1 || s.groups != 1) return false;
  if (s.dilation_h != 1 || s.dilation_w != 1 || s.pad_h > 2 || s.pad_w > 2) return false;
  const Plan p = plan(s, back);
  const int64_t cells = least(3 - p.pad_h, p.h) * least(3 - p.pad_w, p.w);
  return p.planes * cells >= kLeastTerms && p.rows >= kLeastRows && p.oh * p.ow > 0 &&
         9 * p.oh * p.ow >= 2 * kPlaces * p.down() * p.across() && 2 * p.n >= round_up(p.n, kLanes);
}

// Below it no sum on the way, of products of two of them and 2^20 times as large at most, is infinite:
// infinities would become NaN.
constexpr float kModerate = 0x1p50f;

bool is_moderate(const float* x, int64_t n) {
  int64_t large = 0;
  for (int64_t i = 0; i < n; ++i) large += !(__builtin_fabsf(x[i]) < kModerate);
  return large == 0;
}

// Along one axis 4 outputs of 3 taps g are A' (G g * B' d), of 6 inputs d, * place by place, with
//        4  0 -5  0  1  0         1/4     0     0
//        0 -4 -4  1  1  0        -1/6  -1/6  -1/6         1  1  1  1  1  0
//   B' = 0  4 -4 -1  1  0    G = -1/6   1/6  -1/6    A' = 0  1 -1  2 -2  0
//        0 -2 -1  2  1  0        1/24  1/12   1/6         0  1  1  4  4  0
//        0  2 -1 -2  1  0        1/24 -1/12   1/6         0  1 -1  8 -8  1
//        0  4  0 -5  0  1           0     0     1
// The six places are points where the polynomials with these coefficients are multiplied: 0, 1, -1,
// 2, -2 and infinity. Along two axes: columns first, then rows, of numbers `step` apart.
void transform_filter(const Vec* g, int64_t step, Vec* to, int64_t to_step) {
  const Vec even = g[0] + g[2 * step], wide = 0.25f * g[0] + g[2 * step];
  to[0] = 0.25f * g[0];
  to[to_step] = (-1 / 6.f) * (even + g[step]);
  to[2 * to_step] = (-1 / 6.f) * (even - g[step]);
  to[3 * to_step] = (1 / 6.f) * (wide + 0.5f * g[step]);
  to[4 * to_step] = (1 / 6.f) * (wide - 0.5f * g[step]);
  to[5 * to_step] = g[2 * step];
}

void transform_tile(const Vec* d, int64_t step, Vec* to, int64_t to_step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step];
  const Vec d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Vec even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
  to[0] = 4 * d0 - 5 * d2 + d4;
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = near + far;
  to[4 * to_step] = near - far;
  to[5 * to_step] = 4 * d1 - 5 * d3 + d5;
}

void transform_back(Vec* m, int64_t step) {
  const Vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
  const Vec wide = m[3 * step] + m[4 * step], apart = m[3 * step] - m[4 * step];
  m[0] += sum + wide;
  m[step] = difference + 2 * apart;
  m[2 * step] = sum + 4 * wide;
  m[3 * step] = difference + 8 * apart + m[5 * step];
}

// weight (o, c, 3, 3) -> filters
void transform_filters(const Plan& p, const float* weight, float* filters) {
  const int64_t height = p.height();
  parallel_for(divide_up(p.rows, height) * p.planes, 16, [=, &p](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t block = t / p.planes, first = block * height, q = t % p.planes;
      Vec g[9] = {}, half[3 * kIn], whole[kPlaces];
      for (int64_t l = 0; l < least(height, p.rows - first); ++l) {
        const int64_t filter = p.back ? q * p.rows + first + l : (first + l) * p.planes + q;
        for (int64_t i = 0; i < 9; ++i) g[i][l] = weight[9 * filter + (p.back ? 8 - i : i)];
      }
      for (int64_t j = 0; j < 3; ++j) transform_filter(g + j, 3, half + j, 3);
      for (int64_t i = 0; i < kIn; ++i) transform_filter(half + 3 * i, 1, whole + kIn * i, 1);
      for (int64_t place = 0; place < kPlaces; ++place)
        store_n(filters + ((block * kPlaces + place) * p.planes + q) * height, whole[place],
                height);
    }
  });
}

// Which tiles of which images a task takes.
struct Task {
  int64_t first, images, y, x, count;  // the first image, and the first of `count` tiles

  Task(const Plan& p, int64_t number) {
    const int64_t chunks = divide_up(p.across(), p.chunk()), group = number / chunks / p.down();
    first = group * kLanes, images = least(kLanes, p.n - first);
    y = number / chunks % p.down(), x = number % chunks * p.chunk();
    count = least(p.chunk(), p.across() - x);
  }
};

// Pixels [x, x + columns) of a row of w in each image -> to (columns, images), 0 outside
void stack_row(const float* const* row, int64_t w, int64_t x, int64_t columns, Vec* to) {
  const int64_t begin = least(columns, x < 0 ? -x : 0), end = least(columns, w - x);
  for (int64_t c = 0; c < begin; ++c) to[c] = Vec{};
  for (int64_t c = end; c < columns; ++c) to[c] = Vec{};
  if (end - begin < 4) {
    for (int64_t c = begin; c < end; ++c)
      for (int64_t l = 0; l < kLanes; ++l) to[c][l] = row[l][x + c];
    return;
  }
  for (int64_t next = begin; next < end; next += 4) {
    const int64_t c = least(next, end - 4);  // the last may be some of those before again
    for (int64_t l = 0; l < kLanes; l += 4) {
      const float* const four[] = {row[l] + x + c, row[l + 1] + x + c, row[l + 2] + x + c,
                                   row[l + 3] + x + c};
      transpose_4x4(four, reinterpret_cast<float*>(to + c) + l, kLanes);
    }
  }
}

// The tiles of a task, of x (n, planes, h, w) -> tiles; whether all that they see is moderate.
bool transform_tiles(const Plan& p, const Task& task, const float* x, float* tiles) {
  const int64_t columns = kOut * task.count + kIn - kOut;
  auto moderate = Vec{} == Vec{};
  for (int64_t q = 0; q < p.planes; ++q) {
    Vec d[kIn * (kOut * kTaskTiles + kIn - kOut)];
    for (int64_t i = 0; i < kIn; ++i) {
      const int64_t y = kOut * task.y - p.pad_h + i;
      Vec* to = d + i * columns;
      if (y < 0 || y >= p.h) {
        for (int64_t c = 0; c < columns; ++c) to[c] = Vec{};
        continue;
      }
      const float* row[kLanes];  // beyond the last image its own again
      for (int64_t l = 0; l < kLanes; ++l) {
        const int64_t image = task.first + least(l, task.images - 1);
        row[l] = x + ((image * p.planes + q) * p.h + y) * p.w;
      }
      stack_row(row, p.w, kOut * task.x - p.pad_w, columns, to);
      for (int64_t c = 0; c < columns; ++c) moderate &= (to[c] < kModerate) & (to[c] > -kModerate);
    }
    for (int64_t c = 0; c < columns; ++c) transform_tile(d + c, columns, d + c, columns);
    for (int64_t t = 0; t < task.count; ++t) {
      float* to = tiles + t / kVectors * kPlaces * p.place() + q * kWide + t % kVectors * kLanes;
      for (int64_t i = 0; i < kIn; ++i) {
        Vec whole[kIn];
        transform_tile(d + i * columns + kOut * t, 1, whole, 1);
        for (int64_t j = 0; j < kIn; ++j) store(to + (i * kIn + j) * p.place(), whole[j]);
      }
    }
  }
  for (int64_t l = 0; l < kLanes; ++l)
    if (!moderate[l]) return false;
  return true;
}

// filters (planes, Rows), tiles (planes, kWide) -> sums (Rows, kVectors, 36), one place of them
template <int Rows, int Vectors>
void multiply(const float* filters, const float* tiles, int64_t planes, Vec* sums) {
  Vec sum[Rows][Vectors] = {};
  for (int64_t q = 0; q < planes; ++q, filters += Rows, tiles += kWide) {
    Vec tile[Vectors];
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) tile[j] = load(tiles + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < Vectors; ++j) sum[i][j] += filters[i] * tile[j];
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) sums[(i * kVectors + j) * kPlaces] = sum[i][j];
}

template <int Rows = kRows>
void multiply_places(int64_t height, int64_t vectors, const float* filters, const float* tiles,
                     const Plan& p, Vec* sums) {
  if constexpr (Rows > 1)
    if (height < Rows) return multiply_places<Rows - 1>(height, vectors, filters, tiles, p, sums);
  for (int64_t place = 0; place < kPlaces; ++place, filters += p.planes * Rows, tiles += p.place())
    if (vectors == kVectors)
      multiply<Rows, kVectors>(filters, tiles, p.planes, sums + place);
    else
      multiply<Rows, 1>(filters, tiles, p.planes, sums + place);
}

// The sums (36,) of a tile at y, x, in lanes of images -> outputs (4, 4) of each, or those there are
void transform_sums(Vec* m, float bias, const Plan& p, const Task& task, int64_t y, int64_t x,
                    float* out) {
  for (int64_t j = 0; j < kIn; ++j) transform_back(m + j, kIn);
  const int64_t image = p.rows * p.oh * p.ow, columns = least(kOut, p.ow - x);
  out += y * p.ow + x;
  for (int64_t i = 0; i < least(kOut, p.oh - y); ++i, out += p.ow) {
    Vec* line = m + i * kIn;
    transform_back(line, 1);
    for (int64_t j = 0; j < kOut; ++j) line[j] += bias;
    const float* from = reinterpret_cast<const float*>(line);
    for (int64_t l = 0; l < task.images; l += 4, from += 4) {
      float* to = out + l * image;
      if (columns == kOut && l + 4 <= task.images) {
        const float* const four[] = {from, from + kLanes, from + 2 * kLanes, from + 3 * kLanes};
        transpose_4x4(four, to, image);
      } else {
        for (int64_t k = 0; k < least(4, task.images - l); ++k)
          for (int64_t j = 0; j < columns; ++j) to[k * image + j] = from[j * kLanes + k];
      }
    }
  }
}

// One task, from its tiles to its outputs. Whether all of its inputs are moderate.
bool convolve_tiles(const Plan& p, const Task& task, const float* x, const float* filters,
                    const float* bias, float* out, float* room) {
  const int64_t height = p.height();
  Vec* sums = reinterpret_cast<Vec*>(room);
  float* tiles = room + kPlaces * kRows * kWide;
  if (!transform_tiles(p, task, x, tiles)) return false;
  for (int64_t first = 0; first < p.rows; first += height, filters += kPlaces * p.planes * height)
    for (int64_t t = 0; t < task.count; t += kVectors) {
      const int64_t vectors = least(kVectors, task.count - t);
      multiply_places(height, vectors, filters, tiles + t / kVectors * kPlaces * p.place(), p,
                      sums);
      for (int64_t i = 0; i < least(height, p.rows - first); ++i)
        for (int64_t j = 0; j < vectors; ++j)
          transform_sums(sums + (i * kVectors + j) * kPlaces, bias ? bias[first + i] : 0, p, task,
                         kOut * task.y, kOut * (task.x + t + j),
                         out + (task.first * p.rows + first + i) * p.oh * p.ow);
    }
  return true;
}

// False, and nothing that can be used, where a number is not moderate.
bool convolve(const Plan& p, const float* x, const float* weight, const float* bias, float* out,
              void* scratch) {
  if (!is_moderate(weight, p.rows * p.planes * 9)) return false;
  float* filters = static_cast<float*>(scratch);
  float* rooms = filters + round_up(p.filter_floats(), kLanes);
  transform_filters(p, weight, filters);
  const int64_t parts = least(p.tasks(), kRooms);
  bool moderate = true;
  // A thread takes the room of its first part for all of them: it stays in its cache.
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = p.tasks() * begin / parts; task < p.tasks() * end / parts; ++task)
      if (!convolve_tiles(p, Task(p, task), x, filters, bias, out, rooms + begin * p.room()))
        __atomic_store_n(&moderate, false, __ATOMIC_RELAXED);
  });
  return moderate;
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
void forward(const float* x, const float* weight, const float* bias, float* out, Conv2dSize s,
             void* scratch) {
  if (!suits(s, false) || !convolve(plan(s, false), x, weight, bias, out, scratch))
    package.conv2d_forward(x, weight, bias, out, s, scratch);
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w)
void backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                    void* scratch) {
  if (!suits(s, true) || !convolve(plan(s, true), dout, weight, nullptr, dx, scratch))
    package.conv2d_backward_input(dout, weight, dx, s, scratch);
}

int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }

int64_t forward_workspace(Conv2dSize s) {
  return larger(suits(s, false) ? plan(s, false).workspace() : 0,
                package.conv2d_forward_workspace(s));
}
int64_t backward_input_workspace(Conv2dSize s) {
  const int64_t own = suits(s, true) ? plan(s, true).workspace() : 0;
  return larger(own, package.conv2d_backward_input_workspace(s));
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package = *table;
  package_threads = table->parallel_for;
  table->conv2d_forward = forward;
  table->conv2d_backward_input = backward_input;
  table->conv2d_forward_workspace = forward_workspace;
  table->conv2d_backward_input_workspace = backward_input_workspace;
}
