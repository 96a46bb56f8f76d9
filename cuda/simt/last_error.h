// The last error of each host thread.
#pragma once

#include <string>

#include "include/simt/runtime_api.h"

namespace simt {

struct LastError {
  cudaError_t code = cudaSuccess;
  cudaError_t reported = cudaSuccess;  // of the last launch that failed, and in words
  std::string report;
};

LastError& last_error();

// The error of a launch, and what there is to say of it.
void report(cudaError_t error, const std::string& text);

// Of a launch, until it is asked for: who waits for it is told so too.
cudaError_t pending_failure();

// Remembers the error, if it is one and no launch failure is pending, and returns it.
cudaError_t remember(cudaError_t error);

}  // namespace simt
