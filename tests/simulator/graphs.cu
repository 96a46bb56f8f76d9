// Graphs: what they do, and what ends a recording.
#include <cuda_runtime.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

__global__ void add_kernel(float* x, float y) { x[threadIdx.x] += y; }

// Records (add 1, add y) and launches it `times` times. Nothing is done while it is recorded.
int replay(float* x, float y, int times, float* during) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaStreamCreate(&stream);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
  for (float each : {1.f, y}) add_kernel<<<1, 32, 0, stream>>>(x, each);
  y = 1000;  // the recording has what it was
  *during = *x;
  if (cudaError_t error = cudaStreamEndCapture(stream, &graph)) return error;
  if (cudaError_t error = cudaGraphInstantiate(&executable, graph, 0)) return error;
  cudaGraphDestroy(graph);
  for (int i = 0; i < times; ++i) cudaGraphLaunch(executable, stream);
  cudaGraphExecDestroy(executable);
  cudaStreamDestroy(stream);
  return cudaGetLastError();
}

cudaError_t disturb(int how, cudaStream_t stream, float* x) {
  void* memory = nullptr;
  switch (how) {
    case 0:
      return cudaMemcpy(x, x + 1, 4, cudaMemcpyDefault);
    case 1:
      return cudaMemset(x, 0, 4);
    case 2:
      return cudaDeviceSynchronize();
    case 3:
      return cudaStreamSynchronize(stream);
    case 4:
      add_kernel<<<1, 32>>>(x, 1.f);
      return cudaPeekAtLastError();
    case 5:
      return cudaMalloc(&memory, 4);
    case 6:
      return cudaMallocAsync(&memory, 4, stream);
    case 7:
      return cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    default:
      return cudaSuccess;
  }
}

}  // namespace

EXPORT int replayed(float* x, float y, int times, float* during) {
  return replay(x, y, times, during);
}

// What the disturbance itself says, and then, times 1000, the end of the recording.
EXPORT int disturbed(int how, int relaxed, float* x) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaStreamCreate(&stream);
  cudaStreamBeginCapture(stream,
                         relaxed ? cudaStreamCaptureModeRelaxed : cudaStreamCaptureModeGlobal);
  const int error = disturb(how, stream, x);
  const int end = cudaStreamEndCapture(stream, &graph);
  if (end == cudaSuccess) cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
  cudaGetLastError();
  return error + 1000 * end;
}

// A fault in what is replayed is told by the launch's synchronisation, as any other.
__global__ void trapping_kernel() { __trap(); }
EXPORT int failing() {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaStreamCreate(&stream);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
  trapping_kernel<<<1, 32, 0, stream>>>();
  cudaStreamEndCapture(stream, &graph);
  cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphLaunch(executable, stream);
  return cudaStreamSynchronize(stream);
}
