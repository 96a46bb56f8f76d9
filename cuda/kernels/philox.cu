// Random numbers that depend on their place alone: Philox4x32-10 (Salmon et al., 2011). A thread
// makes a block of four.
#include "fours.cuh"

namespace baregrad {
namespace {

constexpr int kRounds = 10;
constexpr int kWords = kFour;  // of a block

struct Words {
  uint32_t word[kWords];
};

// The words of one block of state (2,): seed and offset.
__device__ inline Words words_of(const int64_t* state, int64_t block) {
  uint32_t low = uint32_t(state[0]), high = uint32_t(uint64_t(state[0]) >> 32);
  const uint64_t counter = uint64_t(state[1]) + uint64_t(block);
  uint32_t c0 = uint32_t(counter), c1 = uint32_t(counter >> 32), c2 = 0, c3 = 0;
  for (int r = 0; r < kRounds; ++r, low += 0x9e3779b9u, high += 0xbb67ae85u) {
    const uint32_t p0 = 0xd2511f53u * c0, high0 = __umulhi(0xd2511f53u, c0);
    const uint32_t p1 = 0xcd9e8d57u * c2, high1 = __umulhi(0xcd9e8d57u, c2);
    c0 = high1 ^ c1 ^ low;
    c1 = p1;
    c2 = high0 ^ c3 ^ high;
    c3 = p0;
  }
  return {{c0, c1, c2, c3}};
}

// The upper 24 bits: as many as a float holds.
__device__ inline float uniform(uint32_t word) { return float(word >> 8) * 0x1p-24f; }

__device__ inline bool is_whole(int64_t block, int64_t n) { return (block + 1) * kWords <= n; }

// v to the places of a block, of which the last may be less than four.
__device__ inline void store(float* out, int64_t block, const float (&v)[kWords], int64_t n) {
  if (is_whole(block, n) && are_aligned(out)) return write_four(out + block * kWords, v);
  for (int w = 0; w < kWords; ++w)
    if (block * kWords + w < n) out[block * kWords + w] = v[w];
}

// state (2,) -> out (n,)
__global__ void philox_uniform_kernel(const int64_t* state, float* out, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t b = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; b * kWords < n; b += stride) {
    const Words words = words_of(state, b);
    float v[kWords];
    for (int w = 0; w < kWords; ++w) v[w] = uniform(words.word[w]);
    store(out, b, v, n);
  }
}

// state (2,) -> out (n,), by the method of Box and Muller
__global__ void philox_normal_kernel(const int64_t* state, float* out, int64_t n) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t b = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; b * kWords < n; b += stride) {
    const Words words = words_of(state, b);
    float v[kWords];
    for (int w = 0; w < kWords; w += 2) {
      const float r = sqrtf(-2.f * logf(uniform(words.word[w]) + 0x1p-24f));
      float sine, cosine;
      sincospif(2.f * uniform(words.word[w + 1]), &sine, &cosine);
      v[w] = r * cosine;
      v[w + 1] = r * sine;
    }
    store(out, b, v, n);
  }
}

// x (n,), state (2,) -> out (n,), and dout -> dx by the same state
__global__ void philox_dropout_kernel(const float* x, const int64_t* state, float* out, int64_t n,
                                      uint32_t least_kept, float scale) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t b = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; b * kWords < n; b += stride) {
    const Words words = words_of(state, b);
    float v[kWords] = {};
    if (is_whole(b, n) && are_aligned(x))
      read_four(x + b * kWords, v);
    else
      for (int w = 0; w < kWords && b * kWords + w < n; ++w) v[w] = x[b * kWords + w];
    for (int w = 0; w < kWords; ++w) v[w] = words.word[w] >> 8 >= least_kept ? v[w] * scale : 0.f;
    store(out, b, v, n);
  }
}

}  // namespace

void philox_uniform(const int64_t* state, float* out, int64_t n, cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for(n, kThreads * kWords);
  philox_uniform_kernel<<<blocks, kThreads, 0, stream>>>(state, out, n);
}

void philox_normal(const int64_t* state, float* out, int64_t n, cudaStream_t stream) {
  if (n == 0) return;
  const unsigned blocks = blocks_for(n, kThreads * kWords);
  philox_normal_kernel<<<blocks, kThreads, 0, stream>>>(state, out, n);
}

void philox_dropout(const float* x, const int64_t* state, float* out, int64_t n, double p,
                    cudaStream_t stream) {
  if (n == 0) return;
  // k / 2^24 >= p where k >= ceil(2^24 p), in integers
  uint32_t least_kept = uint32_t(p * 0x1p24);
  least_kept += least_kept < p * 0x1p24;
  const float scale = p < 1 ? float(1 / (1 - p)) : 0.f;
  const unsigned blocks = blocks_for(n, kThreads * kWords);
  philox_dropout_kernel<<<blocks, kThreads, 0, stream>>>(x, state, out, n, least_kept, scale);
}

}  // namespace baregrad
