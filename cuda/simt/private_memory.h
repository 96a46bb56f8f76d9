// Memory that is nobody's business: what libraries bring with them, variables of the host among it.
#pragma once

#include <cstddef>

namespace simt {

struct Range {
  const std::byte *begin, *end;

  bool holds(const std::byte* address) const { return address >= begin && address < end; }
};

// Where an address lies that is in a thread-local variable of the calling host thread or in a loaded
// library: threadIdx, constants. Else nowhere.
Range private_memory(const std::byte* address);

}  // namespace simt
