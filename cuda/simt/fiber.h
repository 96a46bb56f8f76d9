// A fiber is a function call with a stack of its own, which can stop half-way and go on later.
#pragma once

#include <cstddef>

// The build option SIMT_UCONTEXT asks for the portable, slow way to switch stacks.
#if defined(SIMT_UCONTEXT) || !defined(__ELF__) || !(defined(__x86_64__) || defined(__aarch64__))
#define SIMT_SWITCH_BY_UCONTEXT 1
#include <ucontext.h>
#endif

namespace simt {

class Fiber;

#if !defined(SIMT_SWITCH_BY_UCONTEXT)
// Leaves the stack that it was called on, whose pointer goes to *save, for the one that was left
// with the pointer `load`.
extern "C" [[gnu::visibility("hidden")]] void simt_switch_stack(void** save, void* load,
                                                                Fiber* self);
#endif

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  // The calls that the host thread is in already: without a stack to make, never started.
  Fiber() = default;

  explicit Fiber(unsigned number);  // with a stack of its own; throws std::bad_alloc
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next switch to this fiber calls entry(argument), which must not return, on an empty stack.
  // Whatever the fiber was doing before is forgotten, without running destructors.
  void start(Entry entry, void* argument);

  // Called on this fiber: stops here and goes on where `next` has stopped.
  void switch_to(Fiber& next);

  // Whether an address lies on its stack.
  bool holds(const std::byte* address) const { return address >= mapping_ && address < top_; }

 private:
  static void run(void** save, void* load, Fiber* self);

  std::byte* mapping_ = nullptr;  // a guard page, then the stack
  std::byte* top_ = nullptr;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
#if defined(SIMT_SWITCH_BY_UCONTEXT)
  static void run_halves(unsigned high, unsigned low);

  ucontext_t context_;
#else
  void* context_ = nullptr;  // the stack pointer; above it lie the saved registers
#endif
};

// A processor predicts that a return goes to where the last call came from. After a change of
// stacks that is wrong, and costs 5 ns for each level of calls. So the switch goes back by a jump,
// predicted like any other, and the functions between a kernel and the switch all end in it: the
// compiler leaves them by jumps too, and the one jump goes from kernel to kernel. (A barrier: 13
// ns, not 27.)
#if !defined(SIMT_SWITCH_BY_UCONTEXT) && !defined(__SANITIZE_ADDRESS__)
inline void Fiber::switch_to(Fiber& next) { simt_switch_stack(&context_, next.context_, &next); }
#endif

}  // namespace simt
