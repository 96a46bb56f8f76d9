// Rung 3: tiles of 4x4 outputs from 36 multiplications instead of 144. F(4x4, 3x3) of Winograd (1980)
// and of Lavin and Gray (2016): tiles of the input and filters are transformed, 6x6 numbers each;
// place by place, these are products of filters and planes; and what comes out is transformed to
// outputs. What is no 3x3 window one pixel apart over 32 planes or more of one group goes on to the
// kernel in use.
#include "../kernels.h"
#include "threads.h"
#include "vector.h"

namespace {

using namespace baregrad;

Kernels package;  // the table in use, whose gemm multiplies

constexpr int64_t kOut = 4, kIn = 6, kPlaces = kIn * kIn;  // pixels of a tile along an axis
constexpr int64_t kLeastPlanes = 32;
constexpr int64_t kBlockFloats = 1 << 21;  // of transformed tiles at a time: 8 MiB, a last cache

// x (n, planes, h, w) -> out (n, rows, oh, ow) by 3x3 filters. Forward, or back from outputs to
// inputs: that is a convolution, too, by filters turned by 180 degrees, with 2 - padding of padding.
struct Plan {
  int64_t n, planes, h, w, rows, oh, ow, pad_h, pad_w;
  bool back;

  int64_t across() const { return divide_up(ow, kOut); }
  int64_t tiles() const { return n * divide_up(oh, kOut) * across(); }
  int64_t block() const {
    const int64_t tiles_at_once = kBlockFloats / (kPlaces * (planes + rows));
    return round_up(least(tiles(), tiles_at_once > 64 ? tiles_at_once : 64), kLanes);
  }
  int64_t filter_floats() const { return kPlaces * rows * planes; }
  GemmSize product() const { return {kPlaces, rows, block(), planes}; }
  int64_t workspace() const {
    const int64_t floats = round_up(filter_floats(), 16) + kPlaces * (planes + rows) * block();
    return floats * int64_t(sizeof(float)) + package.gemm_workspace(product());
  }
};

Plan plan(const Conv2dSize& s, bool back) {
  if (back) return {s.n, s.o, s.oh, s.ow, s.c, s.h, s.w, 2 - s.pad_h, 2 - s.pad_w, true};
  return {s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.pad_h, s.pad_w, false};
}

// Errors are those of a whole tile: with fewer planes, an output at the edge that sums few products
// would be further off than these may.
bool suits(const Conv2dSize& s, bool back) {
  const bool small = s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1;
  return small && s.dilation_h == 1 && s.dilation_w == 1 && s.pad_h <= 2 && s.pad_w <= 2 &&
         s.groups == 1 && (back ? s.o : s.c) >= kLeastPlanes && s.n * s.h * s.w > 0;
}

// Whether sums and differences of them, times 100, are finite as well: an infinity would become NaN.
bool is_moderate(const float* x, int64_t n) {
  bool moderate = true;
  parallel_for(n, 1 << 16, [&](int64_t begin, int64_t end) {
    int64_t large = 0;
    for (int64_t i = begin; i < end; ++i) large += !(__builtin_fabsf(x[i]) < 0x1p50f);
    if (large > 0) __atomic_store_n(&moderate, false, __ATOMIC_RELAXED);
  });
  return moderate;
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

void transform_tile(Vec* d, int64_t step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step];
  const Vec d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Vec even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
  d[0] = 4 * d0 - 5 * d2 + d4;
  d[step] = even + odd;
  d[2 * step] = even - odd;
  d[3 * step] = near + far;
  d[4 * step] = near - far;
  d[5 * step] = 4 * d1 - 5 * d3 + d5;
}

void transform_back(Vec* m, int64_t step) {
  const Vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
  const Vec wide = m[3 * step] + m[4 * step], apart = m[3 * step] - m[4 * step];
  m[0] += sum + wide;
  m[step] = difference + 2 * apart;
  m[2 * step] = sum + 4 * wide;
  m[3 * step] = difference + 8 * apart + m[5 * step];
}

// weight (o, c, 3, 3) -> filters (36, rows, planes)
void transform_filters(const Plan& p, const float* weight, float* filters) {
  parallel_for(p.rows, 1, [=, &p](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t q = 0; q < p.planes; q += kLanes) {
        const int64_t lanes = least(kLanes, p.planes - q);
        Vec g[9] = {}, half[3 * kIn], whole[kPlaces];
        for (int64_t l = 0; l < lanes; ++l) {
          const int64_t filter = p.back ? (q + l) * p.rows + row : row * p.planes + q + l;
          for (int64_t i = 0; i < 9; ++i) g[i][l] = weight[9 * filter + (p.back ? 8 - i : i)];
        }
        for (int64_t j = 0; j < 3; ++j) transform_filter(g + j, 3, half + j, 3);
        for (int64_t i = 0; i < kIn; ++i) transform_filter(half + 3 * i, 1, whole + kIn * i, 1);
        for (int64_t place = 0; place < kPlaces; ++place)
          store_n(filters + (place * p.rows + row) * p.planes + q, whole[place], lanes);
      }
  });
}

// Tiles from `first` on of x (n, planes, h, w) -> tiles (36, planes, block)
void transform_tiles(const Plan& p, const float* x, int64_t first, float* tiles) {
  const int64_t block = p.block(), groups = block / kLanes, down = divide_up(p.oh, kOut);
  parallel_for(p.planes * groups, 8, [=, &p](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t plane = t / groups, group = t % groups * kLanes;
      Vec d[kPlaces] = {};
      for (int64_t l = 0; l < least(kLanes, p.tiles() - first - group); ++l) {
        const int64_t tile = first + group + l, image = tile / p.across() / down;
        const int64_t y0 = tile / p.across() % down * kOut - p.pad_h;
        const int64_t x0 = tile % p.across() * kOut - p.pad_w;
        const float* from = x + (image * p.planes + plane) * p.h * p.w;
        if (y0 >= 0 && x0 >= 0 && y0 + kIn <= p.h && x0 + kIn <= p.w) {
          for (int64_t i = 0; i < kIn; ++i)
            for (int64_t j = 0; j < kIn; ++j) d[i * kIn + j][l] = from[(y0 + i) * p.w + x0 + j];
          continue;
        }
        for (int64_t i = y0 < 0 ? -y0 : 0; i < least(kIn, p.h - y0); ++i)
          for (int64_t j = x0 < 0 ? -x0 : 0; j < least(kIn, p.w - x0); ++j)
            d[i * kIn + j][l] = from[(y0 + i) * p.w + x0 + j];
      }
      for (int64_t j = 0; j < kIn; ++j) transform_tile(d + j, kIn);
      for (int64_t i = 0; i < kIn; ++i) transform_tile(d + i * kIn, 1);
      for (int64_t place = 0; place < kPlaces; ++place)
        store(tiles + (place * p.planes + plane) * block + group, d[place]);
    }
  });
}

// sums (36, rows, block) of tiles from `first` on -> out (n, rows, oh, ow)
void transform_sums(const Plan& p, const float* sums, const float* bias, int64_t first,
                    float* out) {
  const int64_t block = p.block(), groups = block / kLanes, down = divide_up(p.oh, kOut);
  parallel_for(p.rows * groups, 8, [=, &p](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = t / groups, group = t % groups * kLanes;
      Vec m[kPlaces];
      for (int64_t place = 0; place < kPlaces; ++place)
        m[place] = load(sums + (place * p.rows + row) * block + group);
      for (int64_t j = 0; j < kIn; ++j) transform_back(m + j, kIn);
      for (int64_t i = 0; i < kOut; ++i) transform_back(m + i * kIn, 1);
      for (int64_t l = 0; l < least(kLanes, p.tiles() - first - group); ++l) {
        const int64_t tile = first + group + l, image = tile / p.across() / down;
        const int64_t y0 = tile / p.across() % down * kOut, x0 = tile % p.across() * kOut;
        float* to = out + ((image * p.rows + row) * p.oh + y0) * p.ow + x0;
        for (int64_t i = 0; i < least(kOut, p.oh - y0); ++i)
          for (int64_t j = 0; j < least(kOut, p.ow - x0); ++j)
            to[i * p.ow + j] = m[i * kIn + j][l] + (bias ? bias[row] : 0);
      }
    }
  });
}

void convolve(const Plan& p, const float* x, const float* weight, const float* bias, float* out,
              void* scratch) {
  const int64_t block = p.block();
  float* filters = static_cast<float*>(scratch);
  float* tiles = filters + round_up(p.filter_floats(), 16);
  float* sums = tiles + kPlaces * p.planes * block;
  transform_filters(p, weight, filters);
  for (int64_t first = 0; first < p.tiles(); first += block) {
    transform_tiles(p, x, first, tiles);
    package.gemm({filters, p.rows * p.planes, p.planes, 1}, {tiles, p.planes * block, block, 1},
                 nullptr, {sums, p.rows * block, block, 1}, p.product(), 1, 0,
                 sums + kPlaces * p.rows * block);
    transform_sums(p, sums, bias, first, out);
  }
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
void forward(const float* x, const float* weight, const float* bias, float* out, Conv2dSize s,
             void* scratch) {
  if (suits(s, false) && is_moderate(x, s.n * s.c * s.h * s.w) &&
      is_moderate(weight, s.o * s.c * 9))
    convolve(plan(s, false), x, weight, bias, out, scratch);
  else
    package.conv2d_forward(x, weight, bias, out, s, scratch);
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w)
void backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                    void* scratch) {
  if (suits(s, true) && is_moderate(dout, s.n * s.o * s.oh * s.ow) &&
      is_moderate(weight, s.o * s.c * 9))
    convolve(plan(s, true), dout, weight, nullptr, dx, scratch);
  else
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
