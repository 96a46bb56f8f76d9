// Convolution as a product of matrices that are never written down (tiles.cuh): rows and columns are
// filters, pixels, and the cells of a window of all channels. Where a pixel's cells lie is in a table,
// made once a call, so that a step along them costs one load. Each group is a product of its own.
#include "conv2d_definition.cuh"
#include "tiles.cuh"

namespace baregrad {
namespace {

// A cell of a window in one channel: how far its channel is, and how far down and right it lies.
struct __align__(16) Cell {
  int64_t channel;
  int y, x;
};

// cells[(q kh + i) kw + j] for channels q of `pixels` each
__global__ void cells_kernel(Cell* cells, int64_t channels, int64_t pixels, Conv2dSize s) {
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < channels * s.kh * s.kw;
       q += int64_t(gridDim.x) * blockDim.x)
    cells[q] = {q / (s.kh * s.kw) * pixels, int(q / s.kw % s.kh * s.dilation_h),
                int(q % s.kw * s.dilation_w)};
}

// x (n, c, h, w), its columns the windows of out's pixels (n oh ow), along their cells
struct Windows {
  static constexpr bool kAlongDepth = false, kIsLean = false;
  const float* data;
  const Cell* cells;
  Conv2dSize s;

  struct Row {
    const float* image;  // nullptr outside
    int y, x;            // of the window
  };
  using Step = Cell;
  __device__ Row row(int64_t i) const {
    const int64_t image = i / (s.oh * s.ow);
    return {image < s.n ? data + image * s.c * s.h * s.w : nullptr,
            int(i / s.ow % s.oh * s.stride_h - s.pad_h), int(i % s.ow * s.stride_w - s.pad_w)};
  }
  __device__ Step step(int64_t p) const {
    return cells[min(p, s.c / s.groups * s.kh * s.kw - 1)];  // further ones are not used
  }
  __device__ const float* at(Row row, Step cell) const {
    const int y = row.y + cell.y, x = row.x + cell.x;
    const bool inside = row.image && y >= 0 && y < int(s.h) && x >= 0 && x < int(s.w);
    return inside ? row.image + (cell.channel + y * int(s.w) + x) : nullptr;
  }
  __device__ void advance(int64_t group) { data += group * (s.c / s.groups) * s.h * s.w; }
};

// dout (n, o, oh, ow), its columns x's pixels (n h w), along the cells of windows that they lie in
struct Gradients {
  static constexpr bool kAlongDepth = false, kIsLean = false;
  const float* data;
  const Cell* cells;
  Conv2dSize s;

  struct Row {
    const float* image;
    int y, x;  // where a window begins whose first cell this is, padding included
  };
  using Step = Cell;
  __device__ Row row(int64_t i) const {
    const int64_t image = i / (s.h * s.w);
    return {image < s.n ? data + image * s.o * s.oh * s.ow : nullptr, int(i / s.w % s.h + s.pad_h),
            int(i % s.w + s.pad_w)};
  }
  __device__ Step step(int64_t p) const { return cells[min(p, s.o / s.groups * s.kh * s.kw - 1)]; }
  __device__ const float* at(Row row, Step cell) const {
    int y = row.y - cell.y, x = row.x - cell.x;
    bool inside = row.image && y >= 0 && x >= 0;
    if (s.stride_h > 1 || s.stride_w > 1) {
      const int height = int(s.stride_h), width = int(s.stride_w);
      inside = inside && y % height == 0 && x % width == 0;
      y /= height, x /= width;
    }
    inside = inside && y < int(s.oh) && x < int(s.ow);
    return inside ? row.image + (cell.channel + y * int(s.ow) + x) : nullptr;
  }
  __device__ void advance(int64_t group) { data += group * (s.o / s.groups) * s.oh * s.ow; }
};

// weight (o, c / groups, kh, kw), its rows the channels of x, along (o, kh, kw)
struct Turned {
  static constexpr bool kAlongDepth = true, kIsLean = false;
  const float* data;
  Conv2dSize s;

  struct Row {
    int64_t offset;  // -1 outside
  };
  struct Step {
    int64_t offset;
  };
  __device__ Row row(int64_t i) const { return {i < s.c / s.groups ? i * s.kh * s.kw : -1}; }
  __device__ Step step(int64_t p) const {
    const int64_t cells = s.kh * s.kw, filter = quotient(p, cells);
    return {filter * (s.c / s.groups - 1) * cells + p};
  }
  __device__ const float* at(Row row, Step step) const {
    return row.offset >= 0 ? data + row.offset + step.offset : nullptr;
  }
  __device__ void advance(int64_t group) {
    data += group * (s.o / s.groups) * (s.c / s.groups) * s.kh * s.kw;
  }
};

// dout (n, o, oh, ow), its rows the filters, along out's pixels (n oh ow)
struct Filters {
  static constexpr bool kAlongDepth = true, kIsLean = false;
  const float* data;
  Conv2dSize s;

  struct Row {
    int64_t offset;
  };
  struct Step {
    int64_t offset;
  };
  __device__ Row row(int64_t i) const { return {i < s.o / s.groups ? i * s.oh * s.ow : -1}; }
  __device__ Step step(int64_t p) const {
    const int64_t pixels = s.oh * s.ow, image = quotient(p, pixels);
    return {image * (s.o - 1) * pixels + p};
  }
  __device__ const float* at(Row row, Step step) const {
    return row.offset >= 0 ? data + row.offset + step.offset : nullptr;
  }
  __device__ void advance(int64_t group) { data += group * (s.o / s.groups) * s.oh * s.ow; }
};

// x (n, c, h, w), its columns the cells of a window (c kh kw), along out's pixels (n oh ow)
struct Cells {
  static constexpr bool kAlongDepth = true, kIsLean = false;
  const float* data;
  Conv2dSize s;

  struct Row {
    int64_t channel;  // -1 outside
    int y, x;
  };
  struct Step {
    int64_t image;
    int y, x;
  };
  __device__ Row row(int64_t i) const {
    const int64_t channel = i / (s.kh * s.kw);
    return {channel < s.c / s.groups ? channel * s.h * s.w : -1,
            int(i / s.kw % s.kh * s.dilation_h - s.pad_h), int(i % s.kw * s.dilation_w - s.pad_w)};
  }
  __device__ Step step(int64_t p) const {
    const int64_t y = quotient(p, s.ow), image = quotient(y, s.oh);
    return {image * s.c * s.h * s.w, int((y - image * s.oh) * s.stride_h),
            int((p - y * s.ow) * s.stride_w)};
  }
  __device__ const float* at(Row row, Step pixel) const {
    const int y = row.y + pixel.y, x = row.x + pixel.x;
    const bool inside = row.channel >= 0 && y >= 0 && y < int(s.h) && x >= 0 && x < int(s.w);
    return inside ? data + (pixel.image + row.channel + y * int(s.w) + x) : nullptr;
  }
  __device__ void advance(int64_t group) { data += group * (s.c / s.groups) * s.h * s.w; }
};

// *unusual = 1 if any of n numbers is not finite
__global__ void find_unusual_kernel(const float* x, int64_t n, int* unusual) {
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < n;
       q += int64_t(gridDim.x) * blockDim.x)
    if (!isfinite(x[q])) atomicExch(unusual, 1);
}

// Row i and column (image, pixel) -> out (n, groups rows, pixels), plus bias (groups rows,)
struct StorePixels {
  float* out;
  const float* bias;
  int64_t rows, pixels, groups;

  template <int kCount>
  __device__ void operator()(int64_t group, int64_t i, int64_t j, const float (&sum)[kCount],
                             int count) const {
    const int64_t filter = group * rows + i, image = quotient(j, pixels);
    const float shift = bias ? bias[filter] : 0.f;
    float v[kCount];
#pragma unroll
    for (int e = 0; e < kCount; ++e) v[e] = sum[e] + shift;
    int64_t pixel = j - image * pixels;
    float* to = out + (image * groups * rows + filter) * pixels + pixel;
    if (pixel + count <= pixels) return write(to, v, count);
#pragma unroll
    for (int e = 0; e < kCount; ++e) {
      if (e >= count) return;
      *to++ = v[e];
      if (++pixel == pixels) pixel = 0, to += (groups * rows - 1) * pixels;  // the next image
    }
  }
};

// Row i and column j -> out (groups, rows, columns)
struct StoreMatrix {
  float* out;
  int64_t rows, columns;

  template <int kCount>
  __device__ void operator()(int64_t group, int64_t i, int64_t j, const float (&sum)[kCount],
                             int count) const {
    write(out + (group * rows + i) * columns + j, sum, count);
  }
};

// The products of the three directions: of each of `batch` groups (m, k) by (k, n).
struct Product {
  int64_t batch, m, n, k;
};
Product forward(const Conv2dSize& s) {
  return {s.groups, s.o / s.groups, s.n * s.oh * s.ow, s.c / s.groups * s.kh * s.kw};
}
Product backward_input(const Conv2dSize& s) {
  return {s.groups, s.c / s.groups, s.n * s.h * s.w, s.o / s.groups * s.kh * s.kw};
}
Product backward_weight(const Conv2dSize& s) {
  return {s.groups, s.o / s.groups, s.c / s.groups * s.kh * s.kw, s.n * s.oh * s.ow};
}

// Whether a place in an image, padding included, may need more than 32 bits.
bool is_far(const Conv2dSize& s) {
  const auto is_large = [](int64_t v) { return v < 0 || v >> 29 != 0; };
  return is_large(s.h) || is_large(s.w) || is_large(s.oh) || is_large(s.ow) || is_large(s.pad_h) ||
         is_large(s.pad_w) || is_large(s.stride_h) || is_large(s.stride_w) ||
         is_large(s.dilation_h) || is_large(s.dilation_w) || is_large(s.kh) || is_large(s.kw) ||
         is_large(s.oh * s.stride_h) || is_large(s.ow * s.stride_w) ||
         is_large(s.kh * s.dilation_h) || is_large(s.kw * s.dilation_w);
}

template <class Kernel, class... Arguments>
void by_definition(Kernel kernel, const Product& p, cudaStream_t stream, Arguments... arguments) {
  const int64_t outputs = p.batch * p.m * p.n;
  if (outputs > 0) kernel<<<blocks_for(outputs, kThreads), kThreads, 0, stream>>>(arguments...);
}

// In front of what the product itself needs: the table, and whether a weight is unusual.
int64_t table_bytes(const Product& p) { return (p.k + 1) * int64_t(sizeof(Cell)); }
int64_t workspace_bytes(const Product& p, int64_t before, bool is_lean) {
  return before + multiply_workspace(is_lean, p.batch, p.m, p.n, p.k);
}

struct Workspace {
  void* data;

  Cell* table() const { return static_cast<Cell*>(data); }
  int* unusual(const Product& p) const { return reinterpret_cast<int*>(table() + p.k); }
  float* partial(int64_t before) const {
    return reinterpret_cast<float*>(static_cast<char*>(data) + before);
  }
};

void fill_table(Cell* cells, const Product& p, int64_t pixels, const Conv2dSize& s,
                cudaStream_t stream) {
  if (p.k > 0)
    cells_kernel<<<blocks_for(p.k, kThreads), kThreads, 0, stream>>>(cells, p.k / (s.kh * s.kw),
                                                                     pixels, s);
}

}  // namespace

int64_t conv2d_forward_workspace(Conv2dSize s) {
  return workspace_bytes(forward(s), table_bytes(forward(s)), Windows::kIsLean);
}
int64_t conv2d_backward_input_workspace(Conv2dSize s) {
  return workspace_bytes(backward_input(s), table_bytes(backward_input(s)), Gradients::kIsLean);
}
int64_t conv2d_backward_weight_workspace(Conv2dSize s) {
  return workspace_bytes(backward_weight(s), 0, Cells::kIsLean);
}

// x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
void conv2d_forward(const float* x, const float* weight, const float* bias, float* out,
                    Conv2dSize s, void* workspace, cudaStream_t stream) {
  const Product p = forward(s);
  if (is_far(s)) return by_definition(forward_kernel, p, stream, x, weight, bias, out, s);
  const Workspace own = {workspace};
  fill_table(own.table(), p, s.h * s.w, s, stream);
  multiply<FmaSums>(Strided{weight, p.m * p.k, p.k, 1, p.m}, Windows{x, own.table(), s},
                    StorePixels{out, bias, p.m, s.oh * s.ow, s.groups}, p.batch, p.m, p.n, p.k,
                    own.partial(table_bytes(p)), stream);
}

// dout (n, o, oh, ow), weight (o, c / groups, kh, kw) -> dx (n, c, h, w)
void conv2d_backward_input(const float* dout, const float* weight, float* dx, Conv2dSize s,
                           void* workspace, cudaStream_t stream) {
  const Product p = backward_input(s);
  const Workspace own = {workspace};
  const int64_t weights = p.batch * p.m * p.k, pixels = p.batch * p.m * p.n;
  if (pixels == 0) return;
  const auto define = [&](const int* unusual) {
    by_definition(backward_input_kernel, p, stream, dout, weight, dx, s, unusual);
  };
  if (is_far(s)) return define(nullptr);
  fill_table(own.table(), p, s.oh * s.ow, s, stream);
  multiply<FmaSums>(Turned{weight, s}, Gradients{dout, own.table(), s},
                    StorePixels{dx, nullptr, p.m, s.h * s.w, s.groups}, p.batch, p.m, p.n, p.k,
                    own.partial(table_bytes(p)), stream);
  if (weights == 0) return;
  int* const unusual = own.unusual(p);
  cudaMemsetAsync(unusual, 0, sizeof(int), stream);
  find_unusual_kernel<<<blocks_for(weights, kThreads), kThreads, 0, stream>>>(weight, weights,
                                                                              unusual);
  define(unusual);
}

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
void conv2d_backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s,
                            void* workspace, cudaStream_t stream) {
  const Product p = backward_weight(s);
  if (is_far(s)) return by_definition(backward_weight_kernel, p, stream, x, dout, dweight, s);
  multiply<FmaSums>(Filters{dout, s}, Cells{x, s}, StoreMatrix{dweight, p.m, p.n}, p.batch, p.m,
                    p.n, p.k, Workspace{workspace}.partial(0), stream);
}

}  // namespace baregrad
