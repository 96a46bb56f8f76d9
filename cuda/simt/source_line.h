// Which line of a kernel's source an instruction belongs to, from what -g leaves in a library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simt.h"

namespace simt {

struct SourceLine {
  std::string file;
  int line;

  Location location() const { return {file.c_str(), line}; }
};

// An instruction, as tools name it that read libraries.
struct CodePlace {
  std::string library;
  std::uintptr_t offset;  // in there
};
CodePlace place_of(const void* pc);

// The lines whose calls end at `pcs`, of the kernel itself where they lie in a function that it called
// from the simulator's headers. Asks addr2line, of binutils; without it the file is the library, and
// the line 0.
std::vector<SourceLine> source_lines(const std::vector<const void*>& pcs);

}  // namespace simt
