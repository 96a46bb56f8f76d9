// Rung 3: tiles of 4x4 outputs from 36 multiplications instead of 144. F(4x4, 3x3) of Winograd (1980)
// and of Lavin and Gray (2016): tiles of the input and filters are transformed, 6x6 numbers each
// (winograd.h); place by place, these are products of filters and planes; and what comes out is
// transformed to outputs. Lanes are images, so that a transform is sums of vectors, and a thread takes
// some tiles from input to output in its own cache. Of the filters' gradient tiles are the terms of the
// products, and lanes are planes. Numbers of a tile are added up before they are multiplied, and are
// multiplied by up to 8 along each axis after: a small output beside a large number of its tile is off
// by a share of that number. What is no 3x3 window one pixel apart of one group, or too small to gain
// (see `suits`), goes on to the kernel in use.
#include "../kernels.h"
#include "threads.h"
#include "winograd.h"

namespace {

using namespace baregrad;

Kernels package;  // the table in use

constexpr int64_t kLeastTerms = 128;  // of an output in a corner
constexpr int64_t kLeastRows = 8;     // that share the transforms of a tile
// Of transformed tiles that a thread works with: at most 600 KiB, most of a second-level cache, and at
// most kLongest tiles, but always a pair.
constexpr int64_t kTaskFloats = 150 << 10;
constexpr int64_t kRooms = 32;  // and pieces of the work, so threads, at most
// Of the filters' gradient: filters of a block, terms of a batch, tasks to aim for, and batches of a
// part at least, as parts have to be added up.
constexpr int64_t kFilters = 64, kTerms = 32, kLeastTasks = 16, kLeastBatches = 4;
// Planes or tiles that are summed: each adds at most 260 * 90 < 2^15 products on the way (kModerate).
constexpr int64_t kMostTerms = 1 << 20;

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
    const int64_t pairs = least(kLongest, kTaskFloats / (kPlaces * planes * kLanes)) / kVectors;
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

// Whether windows are 3x3 next to each other. A stride that has no second window is 1, too: then
// there are fewer outputs.
bool is_near_3x3(const Conv2dSize& s) {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.groups == 1 &&
         s.dilation_h == 1 && s.dilation_w == 1 && s.pad_h <= 2 && s.pad_w <= 2 &&
         s.oh == s.h + 2 * s.pad_h - 2 && s.ow == s.w + 2 * s.pad_w - 2;
}

// Whether tiles have half as many multiplications as windows at most.
bool saves(int64_t pixels, int64_t tiles) {
  return pixels > 0 && 9 * pixels >= 2 * kPlaces * tiles;
}

// The error is that of a whole tile, and what it may be grows with the products that are summed: an
// output in a corner, which sums the fewest, has to sum enough. And half of the lanes have images.
bool suits(const Conv2dSize& s, bool back) {
  if (!is_near_3x3(s)) return false;
  const Plan p = plan(s, back);
  const int64_t cells = least(3 - p.pad_h, p.h) * least(3 - p.pad_w, p.w);
  return p.planes * cells >= kLeastTerms && p.planes <= kMostTerms && p.rows >= kLeastRows &&
         2 * p.n >= round_up(p.n, kLanes) && saves(p.oh * p.ow, p.down() * p.across());
}

// take(task, room) for all tasks; whether all said yes. A thread has the first room that nobody is in:
// most often the one that it had before, and still in its cache.
template <class Take>
bool share_tasks(int64_t tasks, float* rooms, int64_t room, const Take& take) {
  const int64_t parts = least(tasks, kRooms);
  bool taken[kRooms] = {}, all_of_them = true;
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    int64_t mine = 0;
    while (__atomic_exchange_n(&taken[mine], true, __ATOMIC_ACQUIRE)) mine = (mine + 1) % parts;
    for (int64_t task = tasks * begin / parts; task < tasks * end / parts; ++task)
      if (!take(task, rooms + mine * room)) __atomic_store_n(&all_of_them, false, __ATOMIC_RELAXED);
    __atomic_store_n(&taken[mine], false, __ATOMIC_RELEASE);
  });
  return all_of_them;
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

// The tiles of a task, of x (n, planes, h, w) -> tiles; whether all that they see is moderate.
bool transform_planes(const Plan& p, const Task& task, const float* x, float* tiles) {
  const int64_t image = p.planes * p.h * p.w;
  Mask moderate = Vec{} == Vec{};
  for (int64_t q = 0; q < p.planes; ++q) {
    const Planes planes(x + task.first * image + q * p.h * p.w, image, task.images, p.h, p.w);
    moderate &= transform_tiles<kIn>(planes, kOut * task.y - p.pad_h, kOut * task.x - p.pad_w,
                                     task.count, transform_tile, p.place(), [=, &p](int64_t t) {
                                       return tiles + t / kVectors * kPlaces * p.place() +
                                              q * kWide + t % kVectors * kLanes;
                                     });
  }
  return all(moderate);
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
  if (!transform_planes(p, task, x, tiles)) return false;
  for (int64_t first = 0; first < p.rows; first += height, filters += kPlaces * p.planes * height)
    for (int64_t t = 0; t < task.count; t += kVectors) {
      const int64_t vectors = least(kVectors, task.count - t);
      const Side pair = {tiles + t / kVectors * kPlaces * p.place(), p.place(), kWide};
      multiply_places(height, vectors, {filters, p.planes * height, height}, pair, p.planes, sums,
                      false);
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
  if (!are_moderate(weight, p.rows * p.planes * 9)) return false;
  float* filters = static_cast<float*>(scratch);
  float* rooms = filters + round_up(p.filter_floats(), kLanes);
  transform_filters(p, weight, filters);
  return share_tasks(p.tasks(), rooms, p.room(), [&](int64_t task, float* room) {
    return convolve_tiles(p, Task(p, task), x, filters, bias, out, room);
  });
}

// dweight (o, c, 3, 3), sums over tiles and images of what outputs' gradients and pixels make at the
// places. Lanes are planes, here.
struct WeightPlan {
  Conv2dSize s;

  int64_t down() const { return divide_up(s.oh, kOut); }
  int64_t across() const { return divide_up(s.ow, kOut); }
  // Pieces of a row of tiles are transformed at once, some of them multiplied at once.
  int64_t pieces() const { return divide_up(across(), kLongest); }
  int64_t longest() const { return divide_up(across(), pieces()); }
  int64_t all_pieces() const { return s.n * down() * pieces(); }
  int64_t batch() const { return divide_up(kTerms, longest()); }
  int64_t batches() const { return divide_up(all_pieces(), batch()); }

  // A task has a block of filters, one of planes, and a part of the terms, so that there are tasks
  // enough; the parts do not depend on the threads, for the sake of the same bits.
  int64_t blocks_o() const { return divide_up(s.o, kFilters); }
  int64_t blocks_c() const { return divide_up(s.c, kWide); }
  int64_t parts() const {
    const int64_t wanted = divide_up(kLeastTasks, blocks_o() * blocks_c());
    return least(wanted, divide_up(batches(), kLeastBatches));
  }
  int64_t tasks() const { return blocks_o() * blocks_c() * parts(); }

  // A thread's room: sums (kFilters, kVectors, 36) vectors; tiles and gradients, (36, terms, ...).
  int64_t tile_place() const { return batch() * longest() * kWide + kLanes; }
  int64_t gradient_place() const { return batch() * longest() * kFilters + kLanes; }
  int64_t room() const { return kPlaces * (kFilters * kWide + tile_place() + gradient_place()); }
  int64_t vectors() const { return divide_up(s.c, kLanes); }
  int64_t taps() const { return s.o * vectors() * 9; }  // vectors, of a part
  int64_t workspace() const {
    const int64_t rooms = least(tasks(), kRooms) * room();
    return (rooms + parts() * taps() * kLanes) * int64_t(sizeof(float));
  }
};

// The filters and planes of a task.
struct Block {
  int64_t o, c, filters, planes;  // the first ones, and how many

  Block(const WeightPlan& p, int64_t number)
      : o(number / p.blocks_c() * kFilters),
        c(number % p.blocks_c() * kWide),
        filters(least(kFilters, p.s.o - o)),
        planes(least(kWide, p.s.c - c)) {}
};

// As `suits`, where a tap in a corner sums the fewest terms, and lanes are planes.
bool suits_weight(const Conv2dSize& s) {
  if (!is_near_3x3(s) || s.n * (s.oh - s.pad_h) * (s.ow - s.pad_w) < kLeastTerms) return false;
  const WeightPlan p = {s};
  const int64_t tiles = p.down() * p.across();
  return s.o >= kLeastRows && 2 * s.c >= round_up(s.c, kLanes) && s.n * tiles <= kMostTerms &&
         saves(s.oh * s.ow, tiles);
}

// The tiles and the gradients of one batch, terms in the order of its pieces: how many there are.
// A lane of `moderate` becomes false where a number is not.
int64_t transform_batch(const WeightPlan& p, int64_t batch, Block b, const float* x,
                        const float* dout, float* tiles, float* gradients, Mask& moderate) {
  const Conv2dSize& s = p.s;
  const int64_t end = least((batch + 1) * p.batch(), p.all_pieces());
  int64_t terms = 0;
  for (int64_t piece = batch * p.batch(); piece < end; ++piece) {
    const int64_t row = piece / p.pieces(), image = row / p.down(), down = row % p.down();
    const int64_t tile = piece % p.pieces() * p.longest();
    const int64_t count = least(p.longest(), p.across() - tile);
    for (int64_t q = 0; q < b.planes; q += kLanes)
      moderate &= transform_tiles<kIn>(
          Planes(x + (image * s.c + b.c + q) * s.h * s.w, s.h * s.w, b.planes - q, s.h, s.w),
          kOut * down - s.pad_h, kOut * tile - s.pad_w, count, transform_tile, p.tile_place(),
          [=](int64_t t) { return tiles + (terms + t) * kWide + q; });
    for (int64_t q = 0; q < b.filters; q += kLanes)
      moderate &= transform_tiles<kOut>(
          Planes(dout + (image * s.o + b.o + q) * s.oh * s.ow, s.oh * s.ow, b.filters - q, s.oh,
                 s.ow),
          kOut * down, kOut * tile, count, transform_gradient, p.gradient_place(),
          [=](int64_t t) { return gradients + (terms + t) * kFilters + q; });
    terms += count;
  }
  return terms;
}

// One task -> its taps (o, vectors of planes, 9). Whether all that it sees is moderate.
bool sum_tiles(const WeightPlan& p, int64_t task, const float* x, const float* dout, float* room,
               Vec* taps) {
  const int64_t part = task % p.parts();
  const Block b(p, task / p.parts());
  Vec* sums = reinterpret_cast<Vec*>(room);
  float *tiles = room + kPlaces * kFilters * kWide, *gradients = tiles + kPlaces * p.tile_place();
  const int64_t first = p.batches() * part / p.parts(), last = p.batches() * (part + 1) / p.parts();
  const int64_t height = divide_up(b.filters, divide_up(b.filters, kRows));
  Mask moderate = Vec{} == Vec{};
  for (int64_t batch = first; batch < last; ++batch) {
    const int64_t terms = transform_batch(p, batch, b, x, dout, tiles, gradients, moderate);
    for (int64_t f = 0; f < b.filters; f += height)
      multiply_places(least(height, b.filters - f), divide_up(b.planes, kLanes),
                      {gradients + f, p.gradient_place(), kFilters}, {tiles, p.tile_place(), kWide},
                      terms, sums + f * kVectors * kPlaces, batch > first);
  }
  if (!all(moderate)) return false;
  taps += part * p.taps() + (b.o * p.vectors() + b.c / kLanes) * 9;
  for (int64_t f = 0; f < b.filters; ++f, taps += p.vectors() * 9)
    for (int64_t v = 0; v * kLanes < b.planes; ++v) {
      Vec* m = sums + (f * kVectors + v) * kPlaces;
      for (int64_t j = 0; j < kIn; ++j) transform_taps(m + j, kIn);
      for (int64_t i = 0; i < 3; ++i) {
        transform_taps(m + i * kIn, 1);
        for (int64_t j = 0; j < 3; ++j) taps[v * 9 + i * 3 + j] = m[i * kIn + j];
      }
    }
  return true;
}

// taps (parts, o, vectors of planes, 9) -> dweight (o, c, 3, 3), their sum
void add_parts(const WeightPlan& p, const Vec* taps, float* dweight) {
  parallel_for(p.s.o * p.vectors(), 16, [=, &p](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t c = t % p.vectors() * kLanes;
      float* to = dweight + (t / p.vectors() * p.s.c + c) * 9;
      for (int64_t i = 0; i < 9; ++i) {
        Vec sum = taps[t * 9 + i];
        for (int64_t part = 1; part < p.parts(); ++part) sum += taps[part * p.taps() + t * 9 + i];
        for (int64_t l = 0; l < least(kLanes, p.s.c - c); ++l) to[l * 9 + i] = sum[l];
      }
    }
  });
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

// x (n, c, h, w), dout (n, o, oh, ow) -> dweight (o, c / groups, kh, kw)
void backward_weight(const float* x, const float* dout, float* dweight, Conv2dSize s,
                     void* scratch) {
  const WeightPlan p = {s};
  if (suits_weight(s)) {
    float* rooms = static_cast<float*>(scratch);
    Vec* taps = reinterpret_cast<Vec*>(rooms + least(p.tasks(), kRooms) * p.room());
    const bool moderate = share_tasks(p.tasks(), rooms, p.room(), [&](int64_t task, float* room) {
      return sum_tiles(p, task, x, dout, room, taps);
    });
    if (moderate) return add_parts(p, taps, dweight);
  }
  package.conv2d_backward_weight(x, dout, dweight, s, scratch);
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
int64_t backward_weight_workspace(Conv2dSize s) {
  return larger(suits_weight(s) ? WeightPlan{s}.workspace() : 0,
                package.conv2d_backward_weight_workspace(s));
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  package = *table;
  package_threads = table->parallel_for;
  table->conv2d_forward = forward;
  table->conv2d_backward_input = backward_input;
  table->conv2d_backward_weight = backward_weight;
  table->conv2d_forward_workspace = forward_workspace;
  table->conv2d_backward_input_workspace = backward_input_workspace;
  table->conv2d_backward_weight_workspace = backward_weight_workspace;
}
