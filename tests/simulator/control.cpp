// What the tests ask of the simulator itself, in C.
#include "include/simt/runtime_api.h"
#include "simt.h"

extern "C" [[gnu::visibility("default")]] int set_schedule(const char* name) {
  return simt::set_schedule(name);
}

extern "C" [[gnu::visibility("default")]] const char* get_schedule() {
  static thread_local std::string name;
  name = simt::schedule();
  return name.c_str();
}

extern "C" [[gnu::visibility("default")]] int last_error() { return cudaGetLastError(); }

extern "C" [[gnu::visibility("default")]] int peek_error() { return cudaPeekAtLastError(); }

extern "C" [[gnu::visibility("default")]] const char* error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}
