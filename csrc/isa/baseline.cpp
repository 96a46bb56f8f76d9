// What every CPU of the platform has: on x86-64 SSE2, 16 registers of 4 floats and no multiply-add.
#define BAREGRAD_ISA baseline
#define BAREGRAD_VECTOR_BYTES 16
// 4 x 2 sums, 2 vectors of b, one broadcast of a and one product fill 12 registers.
constexpr int kTileRows = 4, kTileVectors = 2, kBlockK = 512;
// Where both operands are vectors: 3 x 3 sums, 3 vectors of a, one of b and one product.
constexpr int kDotRows = 3, kDotColumns = 3;
#include "table.inl.h"
