// The part of the CUDA host runtime that a library of kernels needs, over ordinary host memory.
// All work is done when a call returns, so streams order nothing; but what comes to a stream that
// records is done when the graph is launched.
//
// These functions have C++ linkage, unlike CUDA's: a real libcudart in the same process, loaded by
// some other library, would otherwise answer our calls.
#pragma once

#include <cstddef>
#include <type_traits>

#include "../../simt.h"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidMemcpyDirection = 21,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorLaunchFailure = 719,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureImplicit = 906,
  cudaErrorUnknown = 999,
};

enum cudaMemcpyKind {
  cudaMemcpyHostToHost = 0,
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4,
};

enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
  cudaFuncAttributePreferredSharedMemoryCarveout = 9,
};

// The last error of this host thread. cudaGetLastError forgets it. After cudaErrorLaunchFailure
// further launches do nothing until it is forgotten, and cudaGetErrorString of it is the report.
[[gnu::visibility("default")]] cudaError_t cudaGetLastError();
[[gnu::visibility("default")]] cudaError_t cudaPeekAtLastError();
[[gnu::visibility("default")]] const char* cudaGetErrorName(cudaError_t error);
[[gnu::visibility("default")]] const char* cudaGetErrorString(cudaError_t error);

// The synchronising calls return the report of a launch that failed, and leave it pending.
[[gnu::visibility("default")]] cudaError_t cudaDeviceSynchronize();
[[gnu::visibility("default")]] cudaError_t cudaStreamCreate(cudaStream_t* stream);
inline constexpr unsigned cudaStreamDefault = 0, cudaStreamNonBlocking = 1;
[[gnu::visibility("default")]] cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream,
                                                                     unsigned flags);
[[gnu::visibility("default")]] cudaError_t cudaStreamDestroy(cudaStream_t stream);
[[gnu::visibility("default")]] cudaError_t cudaStreamQuery(cudaStream_t stream);
[[gnu::visibility("default")]] cudaError_t cudaStreamSynchronize(cudaStream_t stream);

// New memory is filled with 0xFF bytes, which are NaN, so that a read of what nobody wrote shows.
[[gnu::visibility("default")]] cudaError_t cudaMalloc(void** memory, std::size_t bytes);
[[gnu::visibility("default")]] cudaError_t cudaFree(void* memory);
[[gnu::visibility("default")]] cudaError_t cudaMallocAsync(void** memory, std::size_t bytes,
                                                           cudaStream_t stream);
[[gnu::visibility("default")]] cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
// There is no pool here: memory that is freed goes back at once.
typedef struct CUmemPool_st* cudaMemPool_t;
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
[[gnu::visibility("default")]] cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool,
                                                                       int device);
[[gnu::visibility("default")]] cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool,
                                                                   cudaMemPoolAttr attribute,
                                                                   void* value);
[[gnu::visibility("default")]] cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);

[[gnu::visibility("default")]] cudaError_t cudaMemcpy(
    void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
    simt::Location here = simt::Location::current());
[[gnu::visibility("default")]] cudaError_t cudaMemcpyAsync(
    void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
    cudaStream_t stream = nullptr, simt::Location here = simt::Location::current());
// Rows of `width` bytes, `pitch` bytes from one to the next.
[[gnu::visibility("default")]] cudaError_t cudaMallocPitch(void** memory, std::size_t* pitch,
                                                           std::size_t width, std::size_t height);
[[gnu::visibility("default")]] cudaError_t cudaMemcpy2D(
    void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
    std::size_t height, cudaMemcpyKind kind, simt::Location here = simt::Location::current());
[[gnu::visibility("default")]] cudaError_t cudaMemcpy2DAsync(
    void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
    std::size_t height, cudaMemcpyKind kind, cudaStream_t stream = nullptr,
    simt::Location here = simt::Location::current());
[[gnu::visibility("default")]] cudaError_t cudaMemset(
    void* memory, int byte, std::size_t bytes, simt::Location here = simt::Location::current());
[[gnu::visibility("default")]] cudaError_t cudaMemsetAsync(
    void* memory, int byte, std::size_t bytes, cudaStream_t stream = nullptr,
    simt::Location here = simt::Location::current());

[[gnu::visibility("default")]] cudaError_t cudaGetDeviceCount(int* count);
[[gnu::visibility("default")]] cudaError_t cudaGetDevice(int* device);
[[gnu::visibility("default")]] cudaError_t cudaSetDevice(int device);

// All work is done when a call returns, so an event is a moment of the host's clock: what passes
// between two of them is the simulator's time, which says nothing of a device.
typedef struct CUevent_st* cudaEvent_t;
[[gnu::visibility("default")]] cudaError_t cudaEventCreate(cudaEvent_t* event);
[[gnu::visibility("default")]] cudaError_t cudaEventDestroy(cudaEvent_t event);
[[gnu::visibility("default")]] cudaError_t cudaEventRecord(cudaEvent_t event,
                                                           cudaStream_t stream = nullptr);
[[gnu::visibility("default")]] cudaError_t cudaEventSynchronize(cudaEvent_t event);
[[gnu::visibility("default")]] cudaError_t cudaEventQuery(cudaEvent_t event);
[[gnu::visibility("default")]] cudaError_t cudaEventElapsedTime(float* milliseconds,
                                                                cudaEvent_t begin, cudaEvent_t end);

[[gnu::visibility("default")]] cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event,
                                                                    unsigned flags);
[[gnu::visibility("default")]] cudaError_t cudaStreamWaitEvent(cudaStream_t stream,
                                                               cudaEvent_t event,
                                                               unsigned flags = 0);
inline constexpr unsigned cudaEventDisableTiming = 2;

// Graphs: launches, copies and fills of one stream, written down and done again as often as asked, with
// the same pointers and arguments. What a device forbids while a stream records is an error here too,
// and the recording is worth nothing then: to wait, to use the default stream (cudaMemcpy and cudaMemset
// do), and but in relaxed mode to allocate. Memory that belongs to a graph (cudaMallocAsync) and several
// streams in one graph are not modelled.
typedef struct CUgraph_st* cudaGraph_t;
typedef struct CUgraphExec_st* cudaGraphExec_t;
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2,
};
[[gnu::visibility("default")]] cudaError_t cudaStreamBeginCapture(cudaStream_t stream,
                                                                  cudaStreamCaptureMode mode);
[[gnu::visibility("default")]] cudaError_t cudaStreamEndCapture(cudaStream_t stream,
                                                                cudaGraph_t* graph);
[[gnu::visibility("default")]] cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable,
                                                                cudaGraph_t graph,
                                                                unsigned long long flags = 0);
[[gnu::visibility("default")]] cudaError_t cudaGraphLaunch(cudaGraphExec_t executable,
                                                           cudaStream_t stream);
[[gnu::visibility("default")]] cudaError_t cudaGraphDestroy(cudaGraph_t graph);
[[gnu::visibility("default")]] cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

// What a device tells of itself: the simulator tells of one like a small H200.
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem, totalConstMem;
  std::size_t sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
  int major, minor, multiProcessorCount, warpSize;
  int maxThreadsPerBlock, maxThreadsPerMultiProcessor, regsPerBlock, l2CacheSize, memoryBusWidth;
  int maxThreadsDim[3], maxGridSize[3];
};
[[gnu::visibility("default")]] cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties,
                                                                   int device);
enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxThreadsPerMultiProcessor = 39,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};
[[gnu::visibility("default")]] cudaError_t cudaDeviceGetAttribute(int* value,
                                                                  cudaDeviceAttr attribute,
                                                                  int device);
[[gnu::visibility("default")]] cudaError_t cudaRuntimeGetVersion(int* version);
[[gnu::visibility("default")]] cudaError_t cudaDeviceReset();

// Checks the value and changes nothing: every kernel here may use all of the shared memory.
[[gnu::visibility("default")]] cudaError_t cudaFuncSetAttribute(const void* kernel,
                                                                cudaFuncAttribute attribute,
                                                                int value);

template <typename T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}

// Memory that the host may touch too.
inline constexpr unsigned cudaMemAttachGlobal = 1, cudaHostAllocDefault = 0;
[[gnu::visibility("default")]] cudaError_t cudaMallocManaged(void** memory, std::size_t bytes,
                                                             unsigned flags = cudaMemAttachGlobal);
template <typename T>
cudaError_t cudaMallocManaged(T** memory, std::size_t bytes, unsigned flags = cudaMemAttachGlobal) {
  return cudaMallocManaged(reinterpret_cast<void**>(memory), bytes, flags);
}
// All of it is where it is wanted.
[[gnu::visibility("default")]] cudaError_t cudaMemPrefetchAsync(const void* memory,
                                                                std::size_t bytes, int device,
                                                                cudaStream_t stream = nullptr);
template <typename T>
cudaError_t cudaMallocPitch(T** memory, std::size_t* pitch, std::size_t width, std::size_t height) {
  return cudaMallocPitch(reinterpret_cast<void**>(memory), pitch, width, height);
}
// Memory of the host, which no kernel here may touch.
[[gnu::visibility("default")]] cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
[[gnu::visibility("default")]] cudaError_t cudaFreeHost(void* memory);
template <typename T>
cudaError_t cudaMallocHost(T** memory, std::size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(memory), bytes);
}
template <typename T>
cudaError_t cudaHostAlloc(T** memory, std::size_t bytes, unsigned) {
  return cudaMallocHost(memory, bytes);
}

template <typename T>
cudaError_t cudaMallocAsync(T** memory, std::size_t bytes, cudaStream_t stream) {
  return cudaMallocAsync(reinterpret_cast<void**>(memory), bytes, stream);
}

template <typename Kernel>
  requires std::is_function_v<Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}

// How many threads of a block a device would run best: any number is as good here.
template <typename Kernel>
  requires std::is_function_v<Kernel>
cudaError_t cudaOccupancyMaxPotentialBlockSize(int* grid, int* block, Kernel*, std::size_t = 0,
                                               int most = 0) {
  if (grid == nullptr || block == nullptr) return cudaErrorInvalidValue;
  *block = most > 0 && most < 256 ? most : 256;
  return cudaDeviceGetAttribute(grid, cudaDevAttrMultiProcessorCount, 0);
}

namespace simt {
[[gnu::visibility("default")]] cudaError_t copy_symbol(void* to, const void* from,
                                                       std::size_t bytes, bool fits, Location here);
}  // namespace simt

// Fills a __constant__ or __device__ variable.
template <typename T>
cudaError_t cudaMemcpyToSymbol(T& symbol, const void* from, std::size_t bytes,
                               std::size_t offset = 0, cudaMemcpyKind = cudaMemcpyHostToDevice,
                               simt::Location here = simt::Location::current()) {
  const bool fits = offset <= sizeof symbol && bytes <= sizeof symbol - offset;
  return simt::copy_symbol(reinterpret_cast<char*>(&symbol) + offset, from, bytes, fits, here);
}
template <typename T>
cudaError_t cudaMemcpyFromSymbol(void* to, const T& symbol, std::size_t bytes,
                                 std::size_t offset = 0, cudaMemcpyKind = cudaMemcpyDeviceToHost,
                                 simt::Location here = simt::Location::current()) {
  const bool fits = offset <= sizeof symbol && bytes <= sizeof symbol - offset;
  return simt::copy_symbol(to, reinterpret_cast<const char*>(&symbol) + offset, bytes, fits, here);
}
