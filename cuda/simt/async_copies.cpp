#include "async_copies.h"

#include <cstring>

#include "block.h"

namespace simt {

void AsyncCopies::clear() {
  copies_ = {};
  ends_ = {};
  taken_ = 0;
}

void AsyncCopies::commit() {
  constexpr std::size_t kMostTaken = 16;  // then room is made
  if (taken_ == kMostTaken) {
    const auto gone = static_cast<std::ptrdiff_t>(ends_[taken_ - 1]);
    copies_.erase(copies_.begin(), copies_.begin() + gone);
    ends_.erase(ends_.begin(), ends_.begin() + kMostTaken);
    for (std::size_t& end : ends_) end -= static_cast<std::size_t>(gone);
    taken_ = 0;
  }
  ends_.push_back(copies_.size());
}

std::span<const AsyncCopy> AsyncCopies::take() {
  const std::size_t begin = taken_ == 0 ? 0 : ends_[taken_ - 1];
  return std::span(copies_).subspan(begin, ends_[taken_++] - begin);
}

// What kernels call.

void copy_async(void* to, const void* from, std::size_t bytes, std::size_t read, bool watched) {
  Block::running()->copy_async({static_cast<std::byte*>(to), static_cast<const std::byte*>(from),
                                bytes, read, watched ? __builtin_return_address(0) : nullptr});
}

void commit_copies() { Block::running()->async_copies().commit(); }

void wait_for_copies(int pending) { Block::running()->wait_for_copies(pending); }

// The schedule decides whether a copy happens at once or when it is waited for.
void Block::copy_async(const AsyncCopy& copy) {
  if (schedule_.copies_at_once())
    perform(copy);
  else
    async_copies().add(copy);
}

void Block::wait_for_copies(int pending) {
  AsyncCopies& copies = async_copies();
  while (copies.groups() > static_cast<std::size_t>(pending))
    for (const AsyncCopy& copy : copies.take()) perform(copy);
}

void Block::perform(const AsyncCopy& copy) {
  if (copy.pc != nullptr) {
    auto* const from = const_cast<std::byte*>(copy.from);
    if (copy.read > 0) touch({from, copy.read, Kind::kRead, copy.bytes, copy.pc});
    touch({copy.to, copy.bytes, Kind::kWrite, copy.bytes, copy.pc});
  }
  if (copy.read > 0) std::memcpy(copy.to, copy.from, copy.read);  // from may be null
  std::memset(copy.to + copy.read, 0, copy.bytes - copy.read);
}

}  // namespace simt
