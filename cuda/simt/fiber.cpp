#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStackBytes = 256 << 10;  // red zones make every frame larger
#else
constexpr std::size_t kStackBytes = 64 << 10;  // room for a printf; 1024 threads reserve 64 MiB
#endif
constexpr std::size_t kGuardBytes = 16 << 10;  // a whole number of pages of 4, 8 or 16 KiB

// Equal offsets within a page would put the hot end of every stack into the same few sets of the
// first-level cache. Sixteen different offsets, four lines apart, spread them.
constexpr std::size_t kColours = 16;
constexpr std::size_t kColourBytes = 256;

#if defined(__SANITIZE_ADDRESS__)
// Where the stack of the calling host thread lies, which AddressSanitizer wants to be told.
struct HostStack {
  void* bottom = nullptr;
  std::size_t bytes = 0;
  HostStack() {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &bytes);
    pthread_attr_destroy(&attributes);
  }
};
#endif

}  // namespace

#if !defined(SIMT_SWITCH_BY_UCONTEXT)

// Pushes the registers that a callee must preserve, changes the stack pointer, pops, goes back by a
// jump (see fiber.h). `self` is not touched, so that the first switch into a fiber, which goes on
// at Fiber::run, arrives there with all three arguments in place. The floating-point control words
// are not saved: CUDA code cannot change them.
#if defined(__x86_64__)

asm(R"(
.pushsection .text
.globl simt_switch_stack
.hidden simt_switch_stack
.type simt_switch_stack, @function
.balign 16
simt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size simt_switch_stack, .-simt_switch_stack
.popsection
)");

constexpr std::size_t kSavedWords = 8;  // six registers, return address, its caller's: none
constexpr std::size_t kReturnWord = 6;

#else  // aarch64

asm(R"(
.pushsection .text
.globl simt_switch_stack
.hidden simt_switch_stack
.type simt_switch_stack, %function
.balign 16
simt_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  br x30
.size simt_switch_stack, .-simt_switch_stack
.popsection
)");

constexpr std::size_t kSavedWords = 20;  // x19-x30, d8-d15
constexpr std::size_t kReturnWord = 11;  // x30

#endif
#endif

Fiber::Fiber(unsigned number) {
  void* const mapping = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::byte*>(mapping);
  if (mprotect(mapping_, kGuardBytes, PROT_NONE) != 0) {
    munmap(mapping_, kGuardBytes + kStackBytes);
    throw std::bad_alloc();
  }
  top_ = mapping_ + kGuardBytes + kStackBytes - number % kColours * kColourBytes;
}

Fiber::~Fiber() {
  if (mapping_ != nullptr) munmap(mapping_, kGuardBytes + kStackBytes);
}

void Fiber::start(Entry entry, void* argument) {
  entry_ = entry;
  argument_ = argument;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(mapping_ + kGuardBytes, kStackBytes);
#endif
#if defined(SIMT_SWITCH_BY_UCONTEXT)
  getcontext(&context_);
  context_.uc_stack.ss_sp = mapping_ + kGuardBytes;
  context_.uc_stack.ss_size = static_cast<std::size_t>(top_ - (mapping_ + kGuardBytes));
  context_.uc_link = nullptr;
  const std::uint64_t self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context_, reinterpret_cast<void (*)()>(&Fiber::run_halves), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
#else
  void** const words = reinterpret_cast<void**>(top_) - kSavedWords;
  for (std::size_t i = 0; i < kSavedWords; ++i) words[i] = nullptr;
  words[kReturnWord] = reinterpret_cast<void*>(&Fiber::run);
  context_ = words;
#endif
}

void Fiber::run(void**, void*, Fiber* self) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  self->entry_(self->argument_);
  std::abort();  // start() forbids an entry that returns
}

#if defined(SIMT_SWITCH_BY_UCONTEXT)
// makecontext hands over nothing but ints, so the pointer comes in two.
void Fiber::run_halves(unsigned high, unsigned low) {
  const auto self = static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low);
  run(nullptr, nullptr, reinterpret_cast<Fiber*>(self));
}
#endif

#if defined(SIMT_SWITCH_BY_UCONTEXT) || defined(__SANITIZE_ADDRESS__)
void Fiber::switch_to(Fiber& next) {
#if defined(__SANITIZE_ADDRESS__)
  static thread_local const HostStack host;
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(
      &fake_stack, next.mapping_ == nullptr ? host.bottom : next.mapping_ + kGuardBytes,
      next.mapping_ == nullptr ? host.bytes : kStackBytes);
#endif
#if defined(SIMT_SWITCH_BY_UCONTEXT)
  swapcontext(&context_, &next.context_);
#else
  simt_switch_stack(&context_, next.context_, &next);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}
#endif

}  // namespace simt
