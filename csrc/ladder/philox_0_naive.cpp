// Rung 0: a whole block of Philox4x32-10 for each number, of which it uses one word or two.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

struct Block {
  uint32_t word[4];
};

// state (2,): seed, offset -> the four words of which number i and its neighbours are made
Block block(const int64_t* state, int64_t i) {
  const uint64_t seed = uint64_t(state[0]), counter = uint64_t(state[1]) + uint64_t(i / 4);
  uint32_t key[2] = {uint32_t(seed), uint32_t(seed >> 32)};
  uint32_t c[4] = {uint32_t(counter), uint32_t(counter >> 32), 0, 0};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(c[0]) * 0xd2511f53u, p1 = uint64_t(c[2]) * 0xcd9e8d57u;
    c[0] = uint32_t(p1 >> 32) ^ c[1] ^ key[0];
    c[1] = uint32_t(p1);
    c[2] = uint32_t(p0 >> 32) ^ c[3] ^ key[1];
    c[3] = uint32_t(p0);
    key[0] += 0x9e3779b9u;
    key[1] += 0xbb67ae85u;
  }
  return {{c[0], c[1], c[2], c[3]}};
}

float uniform(const int64_t* state, int64_t i) {
  return float(block(state, i).word[i % 4] >> 8) * 0x1p-24f;
}

// state (2,) -> out (n,)
void philox_uniform(const int64_t* state, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = uniform(state, i);
}

// state (2,) -> out (n,)
void philox_normal(const int64_t* state, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const Block words = block(state, i);
    const uint32_t* pair = words.word + i % 4 / 2 * 2;
    const double r = sqrt(-2 * log(((pair[0] >> 8) + 1) * 0x1p-24));
    const double t = 2 * M_PI * (pair[1] >> 8) * 0x1p-24;
    out[i] = float(r * (i % 2 ? sin(t) : cos(t)));
  }
}

// x (n,), state (2,) -> out (n,)
void philox_dropout(const float* x, const int64_t* state, float* out, int64_t n, double p) {
  for (int64_t i = 0; i < n; ++i) out[i] = uniform(state, i) >= p ? x[i] * float(1 / (1 - p)) : 0;
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->philox_uniform = philox_uniform;
  table->philox_normal = philox_normal;
  table->philox_dropout = philox_dropout;
}
