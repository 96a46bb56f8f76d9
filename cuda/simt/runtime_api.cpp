#include "include/simt/runtime_api.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "block.h"
#include "global_memory.h"
#include "graphs.h"
#include "last_error.h"
#include "shared_memory.h"

struct CUevent_st {
  std::optional<std::chrono::steady_clock::time_point> moment;  // none before it was recorded
};

namespace simt {
namespace {

struct ErrorText {
  cudaError_t code;
  const char* name;
  const char* text;
};

constexpr ErrorText kErrorTexts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
     "invalid copy direction for memcpy"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText* find(cudaError_t error) {
  for (const ErrorText& known : kErrorTexts)
    if (known.code == error) return &known;
  return nullptr;
}

std::size_t physical_bytes() {
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
}

// As a call that waits for `stream`, or for all, returns it.
cudaError_t wait_for(cudaStream_t stream = nullptr) {
  if (const cudaError_t error = check_wait(stream)) return error;
  return pending_failure();
}

}  // namespace

LastError& last_error() {
  // Never destroyed: a program that leaves by exit() is told of its faults after all that is.
  alignas(LastError) static thread_local std::byte room[sizeof(LastError)];
  static thread_local LastError& error = *new (room) LastError;
  return error;
}

void report(cudaError_t error, const std::string& text) {
  if (pending_failure()) return;  // what came first is what matters
  last_error().reported = error;
  last_error().report = text;
  remember(error);
}

cudaError_t pending_failure() {
  return last_error().code == cudaErrorLaunchFailure ? cudaErrorLaunchFailure : cudaSuccess;
}

cudaError_t remember(cudaError_t error) {
  LastError& last = last_error();
  if (error != cudaSuccess && last.code != cudaErrorLaunchFailure) last.code = error;
  return error;
}

}  // namespace simt

using simt::remember;

cudaError_t cudaGetLastError() {
  const cudaError_t error = simt::last_error().code;
  simt::last_error().code = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() { return simt::last_error().code; }

const char* cudaGetErrorName(cudaError_t error) {
  const simt::ErrorText* const known = simt::find(error);
  return known == nullptr ? "unrecognized error code" : known->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const simt::LastError& last = simt::last_error();
  if (error != cudaSuccess && error == last.reported) return last.report.c_str();
  const simt::ErrorText* const known = simt::find(error);
  return known == nullptr ? "unrecognized error code" : known->text;
}

cudaError_t cudaDeviceSynchronize() { return simt::wait_for(); }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return simt::wait_for(stream); }

cudaError_t cudaStreamQuery(cudaStream_t stream) { return simt::wait_for(stream); }

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  if (memory == nullptr) return remember(cudaErrorInvalidValue);
  *memory = nullptr;
  if (const cudaError_t error = simt::check_allocation()) return error;
  if (bytes == 0) return cudaSuccess;
  // An overcommitting host would promise more, and end the process when it is touched.
  if (bytes > simt::physical_bytes()) return remember(cudaErrorMemoryAllocation);
  *memory = simt::GlobalMemory::instance().allocate(bytes);
  return *memory != nullptr ? cudaSuccess : remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* memory) {
  if (const cudaError_t error = simt::check_allocation()) return error;
  if (memory == nullptr || simt::GlobalMemory::instance().free(memory)) return cudaSuccess;
  simt::report(cudaErrorInvalidValue,
               "invalid argument of cudaFree: what cudaMalloc did not give, or what was freed");
  return cudaErrorInvalidValue;
}

cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = simt::check_allocation_on(stream)) return error;
  return cudaMalloc(memory, bytes);
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  if (const cudaError_t error = simt::check_allocation_on(stream)) return error;
  return cudaFree(memory);
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  if (pool == nullptr) return remember(cudaErrorInvalidValue);
  *pool = nullptr;
  return device == 0 ? cudaSuccess : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  return value == nullptr ? remember(cudaErrorInvalidValue) : cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  if (free == nullptr || total == nullptr) return remember(cudaErrorInvalidValue);
  *total = simt::physical_bytes();
#if defined(_SC_AVPHYS_PAGES)
  *free = static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE));
#else
  *free = *total;
#endif
  return cudaSuccess;
}

// Nobody sees what the host writes there, so all of it may have been.
cudaError_t cudaMallocManaged(void** memory, std::size_t bytes, unsigned) {
  const cudaError_t error = cudaMalloc(memory, bytes);
  if (error == cudaSuccess && bytes > 0) simt::GlobalMemory::instance().share(*memory);
  return error;
}

// In rows that begin at multiples of 512 bytes, as on devices of today.
cudaError_t cudaMallocPitch(void** memory, std::size_t* pitch, std::size_t width,
                            std::size_t height) {
  constexpr std::size_t multiple = 512;
  if (pitch == nullptr) return remember(cudaErrorInvalidValue);
  std::size_t bytes = 0;
  if (__builtin_add_overflow(width, multiple - 1, pitch) ||
      __builtin_mul_overflow(*pitch &= ~(multiple - 1), height, &bytes))
    return remember(cudaErrorMemoryAllocation);
  return cudaMalloc(memory, bytes);
}

cudaError_t cudaMemPrefetchAsync(const void* memory, std::size_t, int, cudaStream_t) {
  return memory == nullptr ? remember(cudaErrorInvalidValue) : cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  if (memory == nullptr) return remember(cudaErrorInvalidValue);
  *memory = std::malloc(bytes);
  return *memory != nullptr || bytes == 0 ? cudaSuccess : remember(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  if (event == nullptr) return remember(cudaErrorInvalidValue);
  *event = std::make_unique<CUevent_st>().release();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  std::unique_ptr<CUevent_st>{event}.reset();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return cudaEventCreate(event);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t event, unsigned) {
  return event == nullptr ? remember(cudaErrorInvalidResourceHandle) : cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
  event->moment = std::chrono::steady_clock::now();
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event == nullptr ? remember(cudaErrorInvalidResourceHandle) : simt::wait_for();
}

cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (milliseconds == nullptr) return remember(cudaErrorInvalidValue);
  if (begin == nullptr || end == nullptr || !begin->moment || !end->moment)
    return remember(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(*end->moment - *begin->moment).count();
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (properties == nullptr) return remember(cudaErrorInvalidValue);
  if (device != 0) return remember(cudaErrorInvalidDevice);
  *properties = {};
  properties->totalGlobalMem = simt::physical_bytes();
  properties->totalConstMem = 64 << 10;
  properties->memoryBusWidth = 6144;
  properties->sharedMemPerBlock = simt::kStaticSharedBytes;
  properties->sharedMemPerBlockOptin = simt::kDynamicSharedBytes;
  properties->sharedMemPerMultiprocessor = simt::kDynamicSharedBytes + 1024;
  properties->major = 9;
  properties->multiProcessorCount = 1;
  properties->warpSize = simt::kWarpLanes;
  properties->maxThreadsPerBlock = simt::kMaxBlockThreads;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->regsPerBlock = 65536;
  std::ranges::copy(std::array{simt::kMaxBlockThreads, simt::kMaxBlockThreads, 64},
                    properties->maxThreadsDim);
  std::ranges::copy(std::array{2147483647, 65535, 65535}, properties->maxGridSize);
  constexpr std::string_view name = "simulator";
  std::ranges::copy(name, properties->name);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  if (value == nullptr) return remember(cudaErrorInvalidValue);
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device)) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return *value = properties.maxThreadsPerBlock, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return *value = static_cast<int>(properties.sharedMemPerBlock), cudaSuccess;
    case cudaDevAttrWarpSize:
      return *value = properties.warpSize, cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      return *value = properties.multiProcessorCount, cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return *value = properties.maxThreadsPerMultiProcessor, cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      return *value = properties.major, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      return *value = properties.minor, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return *value = static_cast<int>(properties.sharedMemPerBlockOptin), cudaSuccess;
  }
  return remember(cudaErrorInvalidValue);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaDeviceReset() { return simt::wait_for(); }

cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return remember(cudaErrorInvalidValue);
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return remember(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (kernel == nullptr || value < 0) return remember(cudaErrorInvalidValue);
  const bool too_much = attribute == cudaFuncAttributeMaxDynamicSharedMemorySize &&
                        static_cast<std::size_t>(value) > simt::kDynamicSharedBytes;
  return too_much ? remember(cudaErrorInvalidValue) : cudaSuccess;
}
