// Memory that is nobody's business: stacks of the host's threads, and what libraries bring with them.
#pragma once

#include <cstddef>

namespace simt {

struct Range {
  const std::byte *begin, *end;

  bool holds(const std::byte* address) const { return address >= begin && address < end; }
};

// Where an address lies that is on the stack of the calling host thread, in one of its thread-local
// variables or in a loaded library: arguments of a launch, threadIdx, constants. Else nowhere.
Range private_memory(const std::byte* address);

}  // namespace simt
