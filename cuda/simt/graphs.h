// Streams that record, and graphs.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "include/simt/runtime_api.h"

using Works = std::vector<std::function<void()>>;

struct CUgraph_st {
  std::shared_ptr<Works> works = std::make_shared<Works>();
};

struct CUstream_st {
  std::unique_ptr<CUgraph_st> recording;
  cudaStreamCaptureMode mode{};
  bool is_valid = true;  // the recording
};

namespace simt {

// Whether the stream records (cudaStreamBeginCapture): then what comes to it is written down. Of the default
// stream it says so, and that this is an error, while any other records.
bool is_capturing(cudaStream_t stream);
void write_down(cudaStream_t stream, std::function<void()> work);

// An error where a stream records and this may not be done meanwhile: to wait for the device, to use the
// default stream, to allocate.
cudaError_t check_wait(cudaStream_t stream);
cudaError_t check_default_stream();
cudaError_t check_allocation();
cudaError_t check_allocation_on(cudaStream_t stream);

}  // namespace simt
