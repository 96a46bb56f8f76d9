// What the tests ask of the simulator itself, in C.
#include "counts.h"
#include "include/simt/runtime_api.h"
#include "simt.h"
#include "watch.h"

extern "C" [[gnu::visibility("default")]] int set_schedule(const char* name) {
  return simt::set_schedule(name);
}

extern "C" [[gnu::visibility("default")]] const char* get_schedule() {
  static thread_local std::string name;
  name = simt::schedule();
  return name.c_str();
}

extern "C" [[gnu::visibility("default")]] int is_watching() { return simt::is_watching(); }

extern "C" [[gnu::visibility("default")]] void set_host_threads(int count) {
  simt::set_host_threads(count);
}

extern "C" [[gnu::visibility("default")]] int last_error() { return cudaGetLastError(); }

extern "C" [[gnu::visibility("default")]] int peek_error() { return cudaPeekAtLastError(); }

extern "C" [[gnu::visibility("default")]] const char* error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

extern "C" [[gnu::visibility("default")]] void set_counting(int yes) {
  simt::set_counting(yes);
  simt::forget_counted();
}

// A line for each that was counted: its number, memory (1: shared), kind, and the five counts.
extern "C" [[gnu::visibility("default")]] const char* counted() {
  static thread_local std::string text;
  text.clear();
  for (const simt::KernelCounts& kernel : simt::counted())
    for (const simt::LineCounts& line : kernel.lines) {
      const simt::Counts& n = line.counts;
      for (const std::uint64_t number :
           {std::uint64_t(line.line), std::uint64_t(line.shared), std::uint64_t(line.kind),
            n.requests, n.lanes, n.bytes, n.transactions, n.least})
        text += std::to_string(number) + " ";
      text += "\n";
    }
  return text.c_str();
}

// A line for each piece without a branch: the number of its line, turns and lanes.
extern "C" [[gnu::visibility("default")]] const char* counted_pieces() {
  static thread_local std::string text;
  text.clear();
  for (const simt::KernelCounts& kernel : simt::counted())
    for (const simt::PieceCounts& piece : kernel.pieces)
      text += std::to_string(piece.line.line) + " " + std::to_string(piece.turns) + " " +
              std::to_string(piece.lanes) + "\n";
  return text.c_str();
}
