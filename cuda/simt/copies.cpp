// Copies and fills by the host: memory is that which cudaMalloc gave, or the host's, as the kind of a
// copy says.
#include <cstring>
#include <string>

#include "global_memory.h"
#include "graphs.h"
#include "include/simt/runtime_api.h"
#include "last_error.h"
#include "report_text.h"

namespace simt {
namespace {

enum class Whose { kHost, kDevice, kAny };

// What is wrong with some bytes of `whose` memory, or nothing.
std::string misuse(const void* memory, std::size_t bytes, Whose whose) {
  const auto* const address = static_cast<const std::byte*>(memory);
  const Allocation* const given = GlobalMemory::instance().around(address);
  if (given == nullptr) return whose == Whose::kDevice ? "memory of the host" : "";
  if (given->freed) return "memory that was freed";
  const auto first = static_cast<std::size_t>(address - given->data);  // large where it is before
  if (first > given->bytes || bytes > given->bytes - first)
    return "byte " + std::to_string(address - given->data) + " of the " +
           std::to_string(given->bytes) + " bytes of allocation " + std::to_string(given->number);
  return whose == Whose::kHost && !given->shared ? "memory of the device" : "";
}

// Remembers what is wrong with a call, if anything is.
cudaError_t check(const char* call, Location here, const char* way, const void* memory,
                  std::size_t bytes, Whose whose) {
  const std::string wrong = misuse(memory, bytes, whose);
  if (wrong.empty()) return cudaSuccess;
  report(cudaErrorInvalidValue, text(here) + ": invalid argument of " + call + ": " +
                                    std::to_string(bytes) + " bytes " + way + " " + wrong);
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t copy_symbol(void* to, const void* from, std::size_t bytes, bool fits, Location here) {
  if (const cudaError_t error = check_default_stream()) return error;
  if (const cudaError_t error = pending_failure()) return error;
  if (!fits) {
    report(cudaErrorInvalidValue, text(here) + ": invalid argument of a copy of a symbol: " +
                                      std::to_string(bytes) + " bytes are more than it has");
    return cudaErrorInvalidValue;
  }
  std::memmove(to, from, bytes);
  GlobalMemory::instance().written_by_host(to, bytes);
  return cudaSuccess;
}

}  // namespace simt

using simt::remember;
using simt::Whose;

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                       simt::Location here) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
    return remember(cudaErrorInvalidMemcpyDirection);
  if (const cudaError_t error = simt::check_default_stream()) return error;
  if (const cudaError_t error = simt::pending_failure()) return error;
  if (bytes == 0) return cudaSuccess;
  if (to == nullptr || from == nullptr) return remember(cudaErrorInvalidValue);
  const auto whose = [kind](cudaMemcpyKind other, cudaMemcpyKind same) {
    if (kind == cudaMemcpyDefault) return Whose::kAny;
    return kind == other || kind == same ? Whose::kDevice : Whose::kHost;
  };
  if (const cudaError_t error =
          simt::check("cudaMemcpy", here, "to", to, bytes,
                      whose(cudaMemcpyHostToDevice, cudaMemcpyDeviceToDevice)))
    return error;
  if (const cudaError_t error =
          simt::check("cudaMemcpy", here, "from", from, bytes,
                      whose(cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice)))
    return error;
  std::memmove(to, from, bytes);
  simt::GlobalMemory::instance().written_by_host(to, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream, simt::Location here) {
  if (stream == nullptr || !simt::is_capturing(stream))
    return cudaMemcpy(to, from, bytes, kind, here);
  simt::write_down(stream, [=] { cudaMemcpy(to, from, bytes, kind, here); });
  return cudaSuccess;
}

cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind,
                         simt::Location here) {
  return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, nullptr, here);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream, simt::Location here) {
  if (width > to_pitch || width > from_pitch) return remember(cudaErrorInvalidValue);
  for (std::size_t row = 0; row < height; ++row) {
    const cudaError_t error = cudaMemcpyAsync(static_cast<char*>(to) + row * to_pitch,
                                              static_cast<const char*>(from) + row * from_pitch,
                                              width, kind, stream, here);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t cudaMemset(void* memory, int byte, std::size_t bytes, simt::Location here) {
  if (const cudaError_t error = simt::check_default_stream()) return error;
  if (const cudaError_t error = simt::pending_failure()) return error;
  if (bytes == 0) return cudaSuccess;
  if (memory == nullptr) return remember(cudaErrorInvalidValue);
  if (const cudaError_t error =
          simt::check("cudaMemset", here, "to", memory, bytes, Whose::kDevice))
    return error;
  std::memset(memory, byte, bytes);
  simt::GlobalMemory::instance().written_by_host(memory, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int byte, std::size_t bytes, cudaStream_t stream,
                            simt::Location here) {
  if (stream == nullptr || !simt::is_capturing(stream))
    return cudaMemset(memory, byte, bytes, here);
  simt::write_down(stream, [=] { cudaMemset(memory, byte, bytes, here); });
  return cudaSuccess;
}
