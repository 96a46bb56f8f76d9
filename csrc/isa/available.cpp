#include "../dispatch.h"

// One row per instruction set: all the bits that its object's compiler flags allow it to use, and
// that the operating system saves its registers (__builtin_cpu_supports asks that too).

namespace baregrad {

#if defined(__x86_64__)
namespace avx512 {
const Kernels* table();
}
namespace avx2 {
const Kernels* table();
}
#endif
#if defined(__aarch64__)
namespace neon {
const Kernels* table();
}
#else
namespace baseline {
const Kernels* table();
}
#endif

const std::vector<const Kernels*>& available() {
  static const std::vector<const Kernels*> tables = [] {
    std::vector<const Kernels*> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (avx512 && avx2) found.push_back(avx512::table());
    if (avx2) found.push_back(avx2::table());
#endif
#if defined(__aarch64__)
    found.push_back(neon::table());
#else
    found.push_back(baseline::table());
#endif
    return found;
  }();
  return tables;
}

}  // namespace baregrad
