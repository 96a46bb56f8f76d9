// Random numbers that depend on their place alone: Philox4x32-10 (Salmon et al., 2011). A block of
// four words is made of its number and the key, so vectors and threads may take them in any order.

namespace baregrad::BAREGRAD_ISA {
namespace {

constexpr int kRounds = 10;
constexpr int64_t kBlocks = kLanes / 2;    // made at once, one in each lane of Wide
constexpr int64_t kNumbers = 4 * kBlocks;  // of which come two vectors of numbers

// Numbers that one thread takes at a time: 16 Ki are 8 us (uniform, AVX-512) to 60 (normal, baseline).
constexpr int64_t kPhiloxGrain = 1 << 14;
static_assert(kPhiloxGrain % kNumbers == 0);

// Words of kBlocks blocks, in the lower halves of lanes; what is above them is anything.
struct Words {
  Wide word[4];
};
struct TwoVectors {
  Vec first, second;
};

struct Philox {
  Wide counter = {}, key[2][kRounds];

  // state (2,): seed, offset
  explicit Philox(const int64_t* state) {
    // In the order in which even_lanes gives the first half of the blocks, odd_lanes the second.
    for (int l = 0; l < kBlocks; ++l)
      counter[l] = uint64_t(state[1]) + uint64_t(l / 2 + l % 2 * (kBlocks / 2));
    uint32_t low = uint32_t(state[0]), high = uint32_t(uint64_t(state[0]) >> 32);
    for (int r = 0; r < kRounds; ++r, low += 0x9e3779b9u, high += 0xbb67ae85u) {
      key[0][r] = Wide{} + low;
      key[1][r] = Wide{} + high;
    }
  }

  // The words of blocks first, first + 1, ...: 60 operations on AVX-512 for 2 vectors of words.
  Words words(int64_t first) const {
    const Wide low = counter + uint64_t(first);
    Wide c0 = low, c1 = low >> 32, c2 = {}, c3 = {};
#pragma GCC unroll 10
    for (int r = 0; r < kRounds; ++r) {
      const Wide p0 = multiply_low(c0, Wide{} + 0xd2511f53u);
      const Wide p1 = multiply_low(c2, Wide{} + 0xcd9e8d57u);
      c0 = (p1 >> 32) ^ c1 ^ key[0][r];
      c1 = p1;
      c2 = (p0 >> 32) ^ c3 ^ key[1][r];
      c3 = p0;
    }
    return {{c0, c1, c2, c3}};
  }
};

inline Wide join(Wide low, Wide high) { return (low & 0xffffffffu) | (high << 32); }

// Words 0 and 1, and words 2 and 3, of kBlocks blocks -> two vectors in order
inline TwoVectors in_order(Wide front, Wide back) {
  return {reinterpret_cast<Vec>(even_lanes(front, back)),
          reinterpret_cast<Vec>(odd_lanes(front, back))};
}

// The upper 24 bits: as many as a float holds.
inline Int upper_bits(Bits words) { return reinterpret_cast<Int>(words >> 8); }
inline Vec uniform(Bits words) {
  return __builtin_convertvector(upper_bits(words), Vec) * 0x1p-24f;
}

inline TwoVectors bits_of(const Words& w) {
  return in_order(join(w.word[0], w.word[1]), join(w.word[2], w.word[3]));
}

inline TwoVectors uniform_of(const Words& w) {
  const TwoVectors words = bits_of(w);
  return {uniform(bits(words.first)), uniform(bits(words.second))};
}

// Box and Muller: words 0 and 2 give radii, 1 and 3 angles.
inline TwoVectors normal_of(const Words& w) {
  const Vec u = uniform(reinterpret_cast<Bits>(join(w.word[0], w.word[2]))) + 0x1p-24f;
  const Vec turn = uniform(reinterpret_cast<Bits>(join(w.word[1], w.word[3])));
  const Vec r = sqrt(-2.f * log(u));
  const SinCos at = sincos_turn(turn);
  const Wide x = reinterpret_cast<Wide>(r * at.cos), y = reinterpret_cast<Wide>(r * at.sin);
  return in_order(join(x, y), join(x >> 32, y >> 32));
}

// state (2,) -> `take(i, n, words)` for all numbers, on all threads: kNumbers of them from i on, of
// which n are there.
template <class Take>
inline void for_words(const int64_t* state, int64_t n, Take take) {
  const Philox philox(state);
  parallel_for(n, kPhiloxGrain, [&philox, n, take](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kNumbers) take(i, n - i, philox.words(i / 4));
  });
}

inline void store_two(float* out, const TwoVectors& v, int64_t n) {
  store_upto(out, v.first, n);
  if (n > kLanes) store_upto(out + kLanes, v.second, n - kLanes);
}

// state (2,) -> out (n,)
void philox_uniform(const int64_t* state, float* out, int64_t n) {
  for_words(state, n, [out](int64_t i, int64_t left, const Words& words) {
    store_two(out + i, uniform_of(words), left);
  });
}

// state (2,) -> out (n,)
void philox_normal(const int64_t* state, float* out, int64_t n) {
  for_words(state, n, [out](int64_t i, int64_t left, const Words& words) {
    store_two(out + i, normal_of(words), left);
  });
}

// x (n,), state (2,) -> out (n,), and dout -> dx by the same state
void philox_dropout(const float* x, const int64_t* state, float* out, int64_t n, double p) {
  // k / 2^24 >= p where k >= ceil(2^24 p), in integers
  int32_t least_kept = int32_t(p * 0x1p24);
  least_kept += least_kept < p * 0x1p24;
  const Vec scale = broadcast(p < 1 ? float(1 / (1 - p)) : 0.f);
  for_words(state, n, [=](int64_t i, int64_t left, const Words& w) {
    const auto drop = [=](Vec words, Vec v) {
      return upper_bits(bits(words)) >= least_kept ? v * scale : Vec{};
    };
    const TwoVectors words = bits_of(w);
    store_upto(out + i, drop(words.first, load_upto(x + i, left)), left);
    if (left <= kLanes) return;
    store_upto(out + i + kLanes, drop(words.second, load_upto(x + i + kLanes, left - kLanes)),
               left - kLanes);
  });
}

}  // namespace
}  // namespace baregrad::BAREGRAD_ISA
