#include "memory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "../csrc/dispatch.h"
#include "device.h"

namespace baregrad {

void check(cudaError_t error, const char* op) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // it is told here: the next call is not to find it again
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw std::runtime_error("[" + std::string(op) + "] " + explain(error));
}

void check_device(const char* op) {
  const int theirs = plugin_error();
  check(cudaGetLastError(), op);
  check(cudaError_t(theirs), op);
}

cudaStream_t current_stream() {
  static const cudaStream_t stream = [] {
    cudaStream_t made = nullptr;
    check(cudaStreamCreate(&made), "device");
    // What is free again stays: else each wait of the host would give it back to the system.
    int device = 0;
    cudaMemPool_t pool = nullptr;
    uint64_t all = UINT64_MAX;
    check(cudaGetDevice(&device), "device");
    check(cudaDeviceGetDefaultMemPool(&pool, device), "device");
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "device");
    return made;
  }();
  return stream;
}

std::shared_ptr<Arena>& Arena::recording() {
  static auto* instance = new std::shared_ptr<Arena>;
  return *instance;
}

Arena::~Arena() {
  for (char* data : all_) cudaFree(data);
}

// Blocks of about the same size may stand in for each other.
static int64_t rounded(int64_t bytes) {
  constexpr int64_t kUnit = 512;
  return (bytes + kUnit - 1) / kUnit * kUnit;
}

char* Arena::take(int64_t bytes, bool unused) {
  bytes = rounded(bytes);
  const auto found = free_.find(bytes);
  if (found != free_.end() && !unused) {
    char* const data = found->second;
    free_.erase(found);
    return data;
  }
  all_.reserve(all_.size() + 1);
  char* data = nullptr;
  check(cudaMalloc(reinterpret_cast<void**>(&data), size_t(bytes)), "memory");
  all_.push_back(data);
  return data;
}

void Arena::give_back(char* data, int64_t bytes) {
  if (recording().get() == this) free_.emplace(rounded(bytes), data);
}

void Arena::free_others() {
  for (char* data : std::exchange(later_, {})) cudaFreeAsync(data, current_stream());
}

Memory::Memory(int64_t bytes, bool unused) : bytes_(bytes) {
  if (bytes == 0) return;
  if (const std::shared_ptr<Arena> arena = Arena::recording()) {
    data_ = arena->take(bytes, unused);
    arena_ = arena;
  } else {
    check(cudaMallocAsync(reinterpret_cast<void**>(&data_), size_t(bytes), current_stream()),
          "memory");
  }
}

Memory::~Memory() {
  if (!data_) return;
  if (arena_)
    arena_->give_back(data_, bytes_);
  else if (Arena::recording())
    Arena::recording()->free_later(data_);
  else
    cudaFreeAsync(data_, current_stream());
}

namespace {

// Pinned memory that waits to be read by the device, in pieces that take turns.
class Staging {
 public:
  Staging() {
    char* data = nullptr;
    check(cudaMallocHost(reinterpret_cast<void**>(&data), kPieces * kPieceBytes), "write");
    data_.reset(data);
    for (auto& read : read_) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "write");
      read.reset(event);
    }
  }
  void write(char* to, const char* from, int64_t bytes) {
    for (int64_t done = 0; done < bytes; done += kPieceBytes) {
      const size_t part = size_t(std::min(bytes - done, kPieceBytes)), turn = next_++ % kPieces;
      char* const piece = data_.get() + turn * kPieceBytes;
      check(cudaEventSynchronize(read_[turn].get()), "write");
      std::memcpy(piece, from + done, part);
      check(cudaMemcpyAsync(to + done, piece, part, cudaMemcpyHostToDevice, current_stream()),
            "write");
      check(cudaEventRecord(read_[turn].get(), current_stream()), "write");
    }
  }

 private:
  static constexpr int64_t kPieceBytes = 1 << 20;
  static constexpr size_t kPieces = 8;
  struct Free {
    void operator()(char* data) const { cudaFreeHost(data); }
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  };
  std::unique_ptr<char, Free> data_;
  std::array<std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, Free>, kPieces> read_;
  size_t next_ = 0;
};

}  // namespace

void write(char* to, const void* from, int64_t bytes) {
  static auto* staging = new Staging;  // never destroyed: the device may be gone by then
  staging->write(to, static_cast<const char*>(from), bytes);
}

}  // namespace baregrad
