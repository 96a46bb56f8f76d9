// Which line of a kernel's source an instruction belongs to, from what -g leaves in a library.
#pragma once

#include <string>

#include "simt.h"

namespace simt {

struct SourceLine {
  std::string file;
  int line;

  Location location() const { return {file.c_str(), line}; }
};

// The line whose call ends at `pc`, of the kernel itself where it lies in a function that it called
// from the simulator's headers. Asks addr2line, of binutils; without it the file is the library, and
// the line 0.
SourceLine source_line(const void* pc);

}  // namespace simt
