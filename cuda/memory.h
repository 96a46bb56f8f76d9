#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

// The memory of a device, the stream on which all work of ours is in order, and what goes wrong there.
namespace baregrad {

// Throws an error as RuntimeError or MemoryError, with the op in front.
void check(cudaError_t error, const char* op);
// The same of the last launch.
void check_device(const char* op);

// Not the default stream, which cannot record; but the two wait for each other.
cudaStream_t current_stream();

// The memory of what is recorded (graph.h): its addresses stay as long as it lives, since they are in
// the graph. What is given back while a recording goes on is used again later in it.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // That of the recording which goes on, or nullptr.
  static std::shared_ptr<Arena>& recording();

  // `unused` memory nobody had before: what is written there before a replay is still there when the
  // replay comes to it.
  char* take(int64_t bytes, bool unused);
  void give_back(char* data, int64_t bytes);
  // Memory of others, which nobody wants any more: to be freed when the recording is over.
  void free_later(char* data) { later_.push_back(data); }
  void free_others();

 private:
  std::vector<char*> all_, later_;
  std::multimap<int64_t, char*> free_;  // by bytes
};

// A block of device memory.
class Memory {
 public:
  explicit Memory(int64_t bytes, bool unused = false);  // see Arena
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  char* data() const { return data_; }

 private:
  char* data_ = nullptr;
  int64_t bytes_;
  std::shared_ptr<Arena> arena_;
};

// from, on the host -> to, on the device. What the host has may change when this returns: it was copied
// to pinned memory, from where it travels while the host goes on.
void write(char* to, const void* from, int64_t bytes);

}  // namespace baregrad
