// Between translated CUDA code and the simulator that runs it: everything that may cross from one
// shared library to the other is declared here and exported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "include/simt/vector_types.h"

typedef struct CUstream_st* cudaStream_t;

namespace simt {

// Which block, warp and lane goes first: "forward", "reverse" or "random:<seed>". False, and no
// change, for any other name. The environment variable BAREGRAD_SIM_SCHEDULE sets the first one.
[[gnu::visibility("default")]] bool set_schedule(const char* name);
[[gnu::visibility("default")]] std::string schedule();

// What went wrong in the last launch of this host thread that failed, whoever was told; or nothing.
[[gnu::visibility("default")]] std::string last_report();

// How many host threads run the blocks of a launch that takes long; at first as many as there are
// processors. In order of other schedules than forward, and while kernels are watched, it is one.
[[gnu::visibility("default")]] void set_host_threads(int count);

// `stop` is asked before a launch and between its blocks, now and then, on the thread that launches.
// A launch to which it says yes ends there; that is no error.
[[gnu::visibility("default")]] void ask_between_blocks(bool (*stop)());

// A line of the kernel's source. As a default argument, current() names the line of the call.
struct Location {
  const char* file;
  int line;
  static constexpr Location current(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) {
    return {file, line};
  }
};

// What a thread does where: {"__syncthreads", {"gemm.cu", 41}}.
struct Site {
  const char* operation;
  Location location;
};

using Mask = std::uint32_t;  // one bit for each lane of a warp

inline constexpr int kWarpLanes = 32;

// Each of these waits, for the threads of the block or for the lanes of the warp in `mask`. They
// return nothing, so that nothing is left to do when the wait is over; answers are asked for after.
[[gnu::visibility("default")]] void sync_block(const Site& site, bool yes);
[[gnu::visibility("default")]] void sync_warp(const Site& site, Mask mask, bool yes);

enum class Shuffle { kIndexed, kUp, kDown, kXor };
[[gnu::visibility("default")]] void shuffle(const Site& site, Mask mask, std::uint64_t value,
                                            Shuffle how, int operand, int width);

// Waits until no lane of the warp can run any further.
[[gnu::visibility("default")]] void sync_active_lanes(const Site& site);

// After sync_block: how many threads there were, and how many of them said yes.
struct BlockVote {
  int yes;
  int voters;
};
[[gnu::visibility("default")]] BlockVote block_vote();

// After sync_warp: the lanes that said yes. After shuffle: the value of the lane that was asked.
// After sync_active_lanes: the lanes that wait at the same place.
[[gnu::visibility("default")]] std::uint64_t warp_answer();

// Let the other threads run first: called by an operation that may be one turn of a spin loop.
[[gnu::visibility("default")]] void stand_aside(const Site& site);

[[gnu::visibility("default")]] void trap(const Site& site);

// What was written before it is seen by who comes, later, to an atomic that this thread comes to.
[[gnu::visibility("default")]] void fence();

// cp.async and its groups. `watched` says that the caller is.
[[gnu::visibility("default")]] void copy_async(void* to, const void* from, std::size_t bytes,
                                               std::size_t read, bool watched);
[[gnu::visibility("default")]] void commit_copies();
[[gnu::visibility("default")]] void wait_for_copies(int pending);

// The storage of one __shared__ declaration in the block that calls. `identity` tells declarations
// of equal names apart.
[[gnu::visibility("default")]] void* shared_array(const Site& declaration, const void* identity,
                                                  std::size_t bytes, std::size_t alignment);
[[gnu::visibility("default")]] void* dynamic_shared_array(const Site& declaration);

// `__shared__ float tile[16][17];` is translated to
//   float (&tile)[16][17] = ::simt::SharedArray("tile", [] { return 1; });
// The lambda returns the alignment that was asked for. Being a type of its own for each declaration
// and template instance, it also gives each of them an address to be known by.
template <typename Alignment>
class SharedArray {
 public:
  SharedArray(const char* name, Alignment alignment, Location here = Location::current())
      : declaration_{name, here}, alignment_(alignment) {}

  template <typename T>
  operator T&() const {
    static const char identity = 0;
    const auto asked = static_cast<std::size_t>(alignment_());
    const std::size_t alignment = asked > alignof(T) ? asked : alignof(T);
    return *static_cast<T*>(shared_array(declaration_, &identity, sizeof(T), alignment));
  }

 private:
  Site declaration_;
  Alignment alignment_;
};

// `extern __shared__ float rows[];` is translated to
//   float (&rows)[] = ::simt::DynamicSharedArray("rows");
class DynamicSharedArray {
 public:
  explicit DynamicSharedArray(const char* name, Location here = Location::current())
      : declaration_{name, here} {}

  template <typename T>
  operator T&() const {
    return *static_cast<T*>(dynamic_shared_array(declaration_));
  }

 private:
  Site declaration_;
};

struct LaunchShape {
  const char* kernel;
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes;
  Location location;
};

// Calls body(closure) once for each thread of the grid; on a stream that records a copy of the closure's
// bytes is kept, and no thread runs. What goes wrong is left for cudaGetLastError to return.
using ThreadBody = void (*)(const void* closure);
[[gnu::visibility("default")]] void launch(const LaunchShape& shape, ThreadBody body,
                                           const void* closure, std::size_t bytes,
                                           cudaStream_t stream) noexcept;

// `scale<4><<<grid, block>>>(x, n);` is translated to
//   ::simt::Launch("scale<4>", grid, block).of([=](auto... a) { scale<4>(a...); })(x, n);
// so that x and n are evaluated once and every thread gets copies of its own.
class Launch {
 public:
  Launch(const char* kernel, dim3 grid, dim3 block, std::size_t shared_bytes = 0,
         cudaStream_t stream = nullptr, Location here = Location::current())
      : shape_{kernel, grid, block, shared_bytes, here}, stream_(stream) {}

  template <typename Kernel>
  auto of(Kernel kernel) const {
    return [shape = shape_, stream = stream_, kernel](auto... arguments) {
      const auto thread = [=] { kernel(arguments...); };
      using Thread = decltype(thread);
      static_assert(std::is_trivially_destructible_v<Thread>, "a kernel's arguments are bytes");
      launch(
          shape, [](const void* closure) { (*static_cast<Thread*>(closure))(); }, &thread,
          sizeof thread, stream);
    };
  }

 private:
  LaunchShape shape_;
  cudaStream_t stream_;
};

}  // namespace simt

// Set by the simulator before a thread goes on. Accessed without a call because, of all that a
// kernel does, this it does most.
[[gnu::visibility("default"), gnu::tls_model("initial-exec")]]
extern constinit thread_local uint3 threadIdx;
[[gnu::visibility("default"), gnu::tls_model("initial-exec")]]
extern constinit thread_local uint3 blockIdx;
[[gnu::visibility("default"), gnu::tls_model("initial-exec")]]
extern constinit thread_local dim3 blockDim;
[[gnu::visibility("default"), gnu::tls_model("initial-exec")]]
extern constinit thread_local dim3 gridDim;

inline constexpr int warpSize = simt::kWarpLanes;
