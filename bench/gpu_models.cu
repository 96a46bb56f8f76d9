// The instructions of cuda/ptx.h as the device does them, against the models of them there: one line of
// JSON, and 1 where they differ. bench/gpu.sh compiles this file twice: for sm_90, which has the
// instructions, and with -DBAREGRAD_MODELS, where ptx.h puts the models in their place.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "../cuda/ptx.h"

#ifdef BAREGRAD_MODELS
#define BAREGRAD_WAY models
#else
#define BAREGRAD_WAY hardware
#if defined(__CUDA_ARCH__) && BAREGRAD_SM < 80
#error "compile the instructions for a device that has them"
#endif
#endif

namespace {

constexpr int kThreads = 256, kWarp = 32;
constexpr int kM = 16, kN = 8, kTf32K = 8, kBf16K = 16;  // of mma
// Odd, so that the second number of a pair goes through all patterns too.
constexpr uint32_t kOther = 2654435761u;

}  // namespace

// Both ways have these.
#define BAREGRAD_DECLARE(way)                                                           \
  namespace way {                                                                       \
  void to_tf32(uint32_t first, uint32_t* out, uint32_t n);                              \
  void to_bf16(uint32_t first, uint32_t* out, uint32_t n);                              \
  void mma_tf32(const float* a, const float* b, const float* c, float* out, int tiles); \
  void mma_bf16(const float* a, const float* b, const float* c, float* out, int tiles); \
  void load_matrices(const float* from, float* out, int n);                             \
  void copy(const float* from, float* out, int n);                                      \
  void copy_fours(const float* from, float* out, int n);                                \
  }
BAREGRAD_DECLARE(hardware)
BAREGRAD_DECLARE(models)

namespace BAREGRAD_WAY {

namespace ptx = baregrad::ptx;

// bits first, first + 1, ... as float32 -> out (n,)
__global__ void to_tf32_kernel(uint32_t first, uint32_t* out, uint32_t n) {
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    out[i] = ptx::to_tf32(__uint_as_float(first + i));
}

__global__ void to_bf16_kernel(uint32_t first, uint32_t* out, uint32_t n) {
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    out[i] = ptx::to_bf16(__uint_as_float(first + i), __uint_as_float((first + i) * kOther));
}

// a (tiles, 16, k), b (tiles, k, 8), c (tiles, 16, 8) -> out (tiles, 16, 8), a warp a tile
template <class Multiply>
__device__ void multiply(const float* c, float* out, Multiply mma) {
  float sums[4];
  const int first = blockIdx.x * kM * kN + threadIdx.x / 4 * kN + threadIdx.x % 4 * 2;
  const int places[] = {first, first + 1, first + 8 * kN, first + 8 * kN + 1};
  for (int e = 0; e < 4; ++e) sums[e] = c[places[e]];
  mma(sums);
  for (int e = 0; e < 4; ++e) out[places[e]] = sums[e];
}

__global__ void mma_tf32_kernel(const float* a, const float* b, const float* c, float* out) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  a += blockIdx.x * kM * kTf32K, b += blockIdx.x * kTf32K * kN;
  const auto of_a = [&](int row, int k) { return __float_as_uint(a[row * kTf32K + k]); };
  const auto of_b = [&](int k) { return __float_as_uint(b[k * kN + g]); };
  multiply(c, out, [&](float(&sums)[4]) {
    const uint32_t x[] = {of_a(g, t), of_a(g + 8, t), of_a(g, t + 4), of_a(g + 8, t + 4)};
    const uint32_t y[] = {of_b(t), of_b(t + 4)};
    ptx::mma_tf32(sums, x, y);
  });
}

__global__ void mma_bf16_kernel(const float* a, const float* b, const float* c, float* out) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4 * 2;
  a += blockIdx.x * kM * kBf16K, b += blockIdx.x * kBf16K * kN;
  const auto pair = [](float low, float high) {
    return __float_as_uint(low) >> 16 | (__float_as_uint(high) & 0xffff0000u);
  };
  const auto of_a = [&](int row, int k) {
    return pair(a[row * kBf16K + k], a[row * kBf16K + k + 1]);
  };
  const auto of_b = [&](int k) { return pair(b[k * kN + g], b[(k + 1) * kN + g]); };
  multiply(c, out, [&](float(&sums)[4]) {
    const uint32_t x[] = {of_a(g, t), of_a(g + 8, t), of_a(g, t + 8), of_a(g + 8, t + 8)};
    const uint32_t y[] = {of_b(t), of_b(t + 8)};
    ptx::mma_bf16(sums, x, y);
  });
}

// from (32, 4), the rows of four matrices, which lie further apart here -> out (4, 32), by lanes
__global__ void load_matrices_kernel(const float* from, float* out) {
  __shared__ __align__(16) float rows[kWarp][12];
  for (int e = 0; e < 4; ++e) rows[threadIdx.x][e] = from[threadIdx.x * 4 + e];
  __syncwarp();
  float lane[4];
  ptx::load_matrices(lane, rows[threadIdx.x]);
  for (int e = 0; e < 4; ++e) out[e * kWarp + threadIdx.x] = lane[e];
}

// from (n,) -> out (n,), 0 in every third place
__global__ void copy_kernel(const float* from, float* out, int n) {
  __shared__ float near[kThreads];
  const int i = blockIdx.x * kThreads + threadIdx.x;
  const bool is_there = i < n && i % 3 != 0;
  ptx::copy_async(&near[threadIdx.x], from + (is_there ? i : 0), is_there);
  ptx::commit_copies();
  ptx::wait_for_copies<0>();
  if (i < n) out[i] = near[threadIdx.x];
}

// from (n,) -> out (n,), of each four 0 to 4 numbers and 0 for the others
__global__ void copy_fours_kernel(const float* from, float* out, int n) {
  __shared__ __align__(16) float near[kThreads][4];
  const int thread = blockIdx.x * kThreads + threadIdx.x, i = 4 * thread;
  const int count = i < n ? min(thread % 5, n - i) : 0;
  ptx::copy_four_async(near[threadIdx.x], from + (count > 0 ? i : 0), count);
  ptx::commit_copies();
  ptx::wait_for_copies<0>();
  for (int e = 0; e < 4 && i + e < n; ++e) out[i + e] = near[threadIdx.x][e];
}

void to_tf32(uint32_t first, uint32_t* out, uint32_t n) {
  to_tf32_kernel<<<1024, kThreads>>>(first, out, n);
}
void to_bf16(uint32_t first, uint32_t* out, uint32_t n) {
  to_bf16_kernel<<<1024, kThreads>>>(first, out, n);
}
void mma_tf32(const float* a, const float* b, const float* c, float* out, int tiles) {
  mma_tf32_kernel<<<tiles, kWarp>>>(a, b, c, out);
}
void mma_bf16(const float* a, const float* b, const float* c, float* out, int tiles) {
  mma_bf16_kernel<<<tiles, kWarp>>>(a, b, c, out);
}
void load_matrices(const float* from, float* out, int) {
  load_matrices_kernel<<<1, kWarp>>>(from, out);
}
void copy(const float* from, float* out, int n) {
  copy_kernel<<<(n + kThreads - 1) / kThreads, kThreads>>>(from, out, n);
}
void copy_fours(const float* from, float* out, int n) {
  const int threads = (n + 3) / 4;
  copy_fours_kernel<<<(threads + kThreads - 1) / kThreads, kThreads>>>(from, out, n);
}

}  // namespace BAREGRAD_WAY

#ifndef BAREGRAD_MODELS
namespace {

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::printf("%s\n", cudaGetErrorString(error));
  std::exit(2);
}

struct Free {
  void operator()(void* data) const { cudaFree(data); }
};
template <class T>
using OnDevice = std::unique_ptr<T, Free>;

template <class T>
OnDevice<T> make(size_t count) {
  void* data = nullptr;
  check(cudaMalloc(&data, count * sizeof(T)));
  check(cudaMemset(data, 0xff, count * sizeof(T)));  // NaN where nobody writes
  return OnDevice<T>(static_cast<T*>(data));
}

template <class T>
OnDevice<T> send(const std::vector<T>& values) {
  OnDevice<T> there = make<T>(values.size());
  check(cudaMemcpy(there.get(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  return there;
}

template <class T>
std::vector<T> fetch(const OnDevice<T>& there, size_t count) {
  check(cudaGetLastError());
  std::vector<T> values(count);
  check(cudaMemcpy(values.data(), there.get(), count * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}

// Entries of one line of JSON.
void begin_entry(const char* name) {
  static bool is_first = true;
  std::printf("%s\"%s\": ", is_first ? "{" : ", ", name);
  is_first = false;
}

// Of what the two ways make of all patterns. NaN may have any bits, and those that mma does not read
// may be anything.
struct Differences {
  unsigned long long values, unread, nan, first;  // `first` pattern of which values differ
};

__device__ bool is_nan(uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }

__device__ void compare(uint32_t pattern, uint32_t one, uint32_t other, uint32_t read,
                        Differences* found) {
  if (one == other) return;
  if (is_nan(pattern) && is_nan(one & read) && is_nan(other & read)) {
    atomicAdd(&found->nan, 1);
  } else if (((one ^ other) & read) == 0) {
    atomicAdd(&found->unread, 1);
  } else {
    atomicAdd(&found->values, 1);
    atomicMin(&found->first, pattern);
  }
}

__global__ void compare_kernel(uint32_t first, const uint32_t* one, const uint32_t* other,
                               uint32_t n, bool are_pairs, Differences* found) {
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    const uint32_t pattern = first + i;
    if (!are_pairs) {
      compare(pattern, one[i], other[i], 0xffffe000u, found);
      continue;
    }
    compare(pattern, one[i] << 16, other[i] << 16, 0xffff0000u, found);
    compare(pattern * kOther, one[i] & 0xffff0000u, other[i] & 0xffff0000u, 0xffff0000u, found);
  }
}

using Rounding = void (*)(uint32_t, uint32_t*, uint32_t);

// All 2^32 numbers. Returns whether the two ways are one.
bool compare_roundings(const char* name, Rounding hardware, Rounding model, bool are_pairs) {
  constexpr uint32_t kPiece = 1u << 28;
  const OnDevice<uint32_t> one = make<uint32_t>(kPiece), other = make<uint32_t>(kPiece);
  const OnDevice<Differences> there = send(std::vector<Differences>{{0, 0, 0, ~0ull}});
  for (uint32_t piece = 0; piece < 16; ++piece) {
    hardware(piece * kPiece, one.get(), kPiece);
    model(piece * kPiece, other.get(), kPiece);
    compare_kernel<<<1024, kThreads>>>(piece * kPiece, one.get(), other.get(), kPiece, are_pairs,
                                       there.get());
  }
  const Differences found = fetch(there, 1)[0];
  begin_entry(name);
  std::printf("{\"patterns\": 4294967296, \"different\": %llu, \"unread\": %llu, \"nan\": %llu",
              found.values, found.unread, found.nan);
  if (found.values) std::printf(", \"first\": \"0x%08llx\"", found.first);
  std::printf("}");
  return found.values == 0;
}

using Product = void (*)(const float*, const float*, const float*, float*, int);

// Numbers of any sign between 2^-8 and 2^8, with `dropped` bits of their 23 at 0.
std::vector<float> numbers(std::mt19937& random, size_t count, int dropped) {
  std::vector<float> values(count);
  for (float& value : values) {
    const uint32_t bits = uint32_t(random());
    const uint32_t kept = (bits & 0x807fffffu) | (119u + uint32_t(random()) % 16) << 23;
    const uint32_t rounded = kept >> dropped << dropped;
    std::memcpy(&value, &rounded, sizeof value);
  }
  return values;
}

// c + a b, exact but for 2^-50 of it, and the sizes of what is summed, |c| + |a| |b|.
struct Exact {
  double sum, size;
};
Exact exact(const float* a, const float* b, float c, int row, int column, int depth) {
  Exact found{c, std::fabs(c)};
  for (int k = 0; k < depth; ++k) {
    const double product = double(a[row * depth + k]) * b[k * kN + column];
    found.sum += product, found.size += std::fabs(product);
  }
  return found;
}

// Products of two rounded numbers are exact in float32. The model rounds k sums: off by k u / (1 - k u)
// of the sizes, u = 2^-24. What the device does is not said, in how many steps either. As far as it
// has been looked into (Fasi, Higham, Mikaitis and Pranesh, 2021, Numerical behavior of NVIDIA tensor
// cores), the addends of a step are cut off below 2^-23 of the largest, and so is its result: with a
// step for each product three times a product, so 3 k times 2^-23 of the sizes.
bool compare_products(const char* name, Product hardware, Product model, int k, int dropped) {
  constexpr double kUnit = 0x1p-24;
  const double model_bound = k * kUnit / (1 - k * kUnit), hardware_bound = 3 * k * 2 * kUnit;
  constexpr int kTiles = 16384;
  constexpr size_t kOutputs = size_t(kTiles) * kM * kN;
  std::mt19937 random(0);
  const auto a = numbers(random, size_t(kTiles) * kM * k, dropped);
  const auto b = numbers(random, size_t(kTiles) * k * kN, dropped);
  const auto c = numbers(random, kOutputs, 0);
  const auto there_a = send(a), there_b = send(b), there_c = send(c);
  const OnDevice<float> one = make<float>(kOutputs), other = make<float>(kOutputs);
  hardware(there_a.get(), there_b.get(), there_c.get(), one.get(), kTiles);
  model(there_a.get(), there_b.get(), there_c.get(), other.get(), kTiles);
  const auto by_hardware = fetch(one, kOutputs), by_model = fetch(other, kOutputs);
  size_t equal = 0;
  bool is_right = true;
  double worst_hardware = 0, worst_model = 0;  // shares of their bounds
  for (size_t i = 0; i < kOutputs; ++i) {
    const size_t tile = i / (kM * kN);
    const int row = int(i / kN % kM), column = int(i % kN);
    const Exact e = exact(&a[tile * kM * k], &b[tile * k * kN], c[i], row, column, k);
    const double off = std::fabs(by_hardware[i] - e.sum) / (hardware_bound * e.size);
    const double model_off = std::fabs(by_model[i] - e.sum) / (model_bound * e.size);
    is_right = is_right && off <= 1 && model_off <= 1;  // and so is NaN found
    worst_hardware = std::max(worst_hardware, off), worst_model = std::max(worst_model, model_off);
    equal += std::memcmp(&by_hardware[i], &by_model[i], sizeof(float)) == 0;
  }
  begin_entry(name);
  std::printf("{\"outputs\": %zu, \"equal\": %zu, \"hardware\": %.4f, \"model\": %.4f}", kOutputs,
              equal, worst_hardware, worst_model);
  return is_right;
}

// What is moved and not computed: `count` numbers.
template <class Move>
bool compare_moves(const char* name, int count, Move hardware, Move model) {
  std::mt19937 random(0);
  const auto from = send(numbers(random, count, 0));
  const OnDevice<float> one = make<float>(count), other = make<float>(count);
  hardware(from.get(), one.get(), count);
  model(from.get(), other.get(), count);
  const auto by_hardware = fetch(one, count), by_model = fetch(other, count);
  int different = 0;
  for (int i = 0; i < count; ++i)
    different += std::memcmp(&by_hardware[i], &by_model[i], sizeof(float)) != 0;
  begin_entry(name);
  std::printf("{\"outputs\": %d, \"different\": %d}", count, different);
  return different == 0;
}

}  // namespace

int main() {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
    std::printf("no CUDA device: %s\n", cudaGetErrorString(error));
    return 77;
  }
  constexpr int kMoved = 100000;
  const bool are_right[] = {
      compare_roundings("cvt.rna.tf32", hardware::to_tf32, models::to_tf32, false),
      compare_roundings("cvt.rn.bf16x2", hardware::to_bf16, models::to_bf16, true),
      compare_products("mma of TF32", hardware::mma_tf32, models::mma_tf32, kTf32K, 13),
      compare_products("mma of bfloat16", hardware::mma_bf16, models::mma_bf16, kBf16K, 16),
      compare_moves("ldmatrix", 128, hardware::load_matrices, models::load_matrices),
      compare_moves("cp.async", kMoved, hardware::copy, models::copy),
      compare_moves("cp.async of fours", kMoved, hardware::copy_fours, models::copy_fours),
  };
  std::printf("}\n");
  return std::all_of(std::begin(are_right), std::end(are_right), [](bool is) { return is; }) ? 0
                                                                                             : 1;
}
#endif
