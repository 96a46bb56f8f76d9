// AVX2 and FMA: 16 registers of 8 floats.
#define BAREGRAD_ISA avx2
#define BAREGRAD_VECTOR_BYTES 32
// 6 x 2 sums, 2 vectors of b and one broadcast of a fill 15 registers.
constexpr int kTileRows = 6, kTileVectors = 2, kBlockK = 512;
// Where both operands are vectors: 3 x 4 sums, 3 vectors of a and one of b.
constexpr int kDotRows = 3, kDotColumns = 4;
#include "table.inl.h"
