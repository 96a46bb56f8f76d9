// AVX-512 F, DQ, BW, VL: 32 registers of 16 floats.
#define BAREGRAD_ISA avx512
#define BAREGRAD_VECTOR_BYTES 64
// 14 x 2 sums, 2 vectors of b and one broadcast of a fill 31 registers; 28 chains hide the latency
// of the multiply-add (4 cycles x 2 units = 8 would do).
constexpr int kTileRows = 14, kTileVectors = 2, kBlockK = 512;
// Where both operands are vectors: 5 x 5 sums, 5 vectors of a and one of b.
constexpr int kDotRows = 5, kDotColumns = 5;
#include "table.inl.h"
