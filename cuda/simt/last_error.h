// The last error of each host thread.
#pragma once

#include <string>

#include "include/simt/runtime_api.h"

namespace simt {

struct LastError {
  cudaError_t code = cudaSuccess;
  std::string report;  // of the last launch that failed
};

LastError& last_error();

// Remembers the error, if it is one and no launch failure is pending, and returns it.
cudaError_t remember(cudaError_t error);

}  // namespace simt
