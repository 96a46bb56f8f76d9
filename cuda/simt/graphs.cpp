#include "graphs.h"

#include <mutex>
#include <new>
#include <utility>

#include "last_error.h"
#include "simt.h"

struct CUgraphExec_st {
  std::shared_ptr<const Works> works;
};

namespace simt {
namespace {

// The streams that record.
struct Recording {
  std::mutex mutex;
  std::vector<cudaStream_t> streams;
};

Recording& recording() {
  static Recording instance;
  return instance;
}

// No recording of these is worth anything any more.
template <class Which>
cudaError_t spoil(Which which, cudaError_t error) {
  bool any = false;
  const std::lock_guard lock(recording().mutex);
  for (const cudaStream_t stream : recording().streams)
    if (which(*stream)) {
      stream->is_valid = false;
      any = true;
    }
  return any ? remember(error) : cudaSuccess;
}

}  // namespace

bool is_capturing(cudaStream_t stream) {
  if (stream == nullptr) return check_default_stream() != cudaSuccess;
  return stream->recording != nullptr;
}

void write_down(cudaStream_t stream, std::function<void()> work) {
  if (stream != nullptr) stream->recording->works->push_back(std::move(work));
}

cudaError_t check_wait(cudaStream_t stream) {
  return spoil([=](const CUstream_st& one) { return stream == nullptr || &one == stream; },
               cudaErrorStreamCaptureUnsupported);
}

cudaError_t check_default_stream() {
  return spoil([](const CUstream_st&) { return true; }, cudaErrorStreamCaptureImplicit);
}

cudaError_t check_allocation() {
  return spoil([](const CUstream_st& one) { return one.mode != cudaStreamCaptureModeRelaxed; },
               cudaErrorStreamCaptureUnsupported);
}

cudaError_t check_allocation_on(cudaStream_t stream) {
  return spoil([=](const CUstream_st& one) { return &one == stream; }, cudaErrorNotSupported);
}

}  // namespace simt

using simt::remember;

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  if (stream == nullptr) return remember(cudaErrorInvalidValue);
  *stream = std::make_unique<CUstream_st>().release();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return cudaStreamCreate(stream);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return remember(cudaErrorInvalidResourceHandle);
  const std::lock_guard lock(simt::recording().mutex);
  std::erase(simt::recording().streams, stream);
  std::unique_ptr<CUstream_st>{stream}.reset();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (stream == nullptr) return remember(cudaErrorStreamCaptureUnsupported);
  if (stream->recording != nullptr) return remember(cudaErrorIllegalState);
  const std::lock_guard lock(simt::recording().mutex);
  stream->recording = std::make_unique<CUgraph_st>();
  stream->mode = mode;
  stream->is_valid = true;
  simt::recording().streams.push_back(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (graph == nullptr) return remember(cudaErrorInvalidValue);
  *graph = nullptr;
  if (stream == nullptr || stream->recording == nullptr) return remember(cudaErrorIllegalState);
  const std::lock_guard lock(simt::recording().mutex);
  std::erase(simt::recording().streams, stream);
  const std::unique_ptr<CUgraph_st> recorded = std::move(stream->recording);
  if (!stream->is_valid) return remember(cudaErrorStreamCaptureInvalidated);
  *graph = std::make_unique<CUgraph_st>(*recorded).release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  if (executable == nullptr || graph == nullptr) return remember(cudaErrorInvalidValue);
  std::unique_ptr<CUgraphExec_st> made(new CUgraphExec_st{graph->works});
  *executable = made.release();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (executable == nullptr) return remember(cudaErrorInvalidValue);
  if (simt::is_capturing(stream)) return remember(cudaErrorNotSupported);  // a graph in a graph
  for (const std::function<void()>& work : *executable->works) {
    work();
    if (simt::last_error().code != cudaSuccess) break;
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  if (graph == nullptr) return remember(cudaErrorInvalidValue);
  std::unique_ptr<CUgraph_st>{graph}.reset();
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  if (executable == nullptr) return remember(cudaErrorInvalidValue);
  std::unique_ptr<CUgraphExec_st>{executable}.reset();
  return cudaSuccess;
}
