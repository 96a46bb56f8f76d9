// Advanced SIMD of aarch64: 32 registers of 4 floats.
#define BAREGRAD_ISA neon
#define BAREGRAD_VECTOR_BYTES 16
// 8 x 3 sums and 3 vectors of b leave 5 registers for numbers of a.
constexpr int kTileRows = 8, kTileVectors = 3, kBlockK = 256;
// Where both operands are vectors: 5 x 5 sums, 5 vectors of a and one of b.
constexpr int kDotRows = 5, kDotColumns = 5;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize "no-schedule-insns"  // or all of a is loaded first, and sums have no registers
#endif
#include "table.inl.h"
