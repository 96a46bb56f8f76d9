#include "async_copies.h"

#include <cstring>
#include <utility>

#include "block.h"

namespace simt {

void AsyncCopies::clear() {
  open_.clear();
  groups_.clear();
}

void AsyncCopies::commit() { groups_.push_back(std::exchange(open_, {})); }

std::vector<AsyncCopy> AsyncCopies::take() {
  std::vector<AsyncCopy> oldest = std::move(groups_.front());
  groups_.pop_front();
  return oldest;
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
  while (copies.groups() > static_cast<std::size_t>(pending)) {
    taken_ = copies.take();
    for (const AsyncCopy& copy : taken_) perform(copy);
  }
}

void Block::perform(const AsyncCopy& copy) {
  if (copy.pc != nullptr) {
    auto* const from = const_cast<std::byte*>(copy.from);
    if (copy.read > 0) touch({from, copy.read, Kind::kRead, true, copy.pc});
    touch({copy.to, copy.bytes, Kind::kWrite, true, copy.pc});
  }
  std::memcpy(copy.to, copy.from, copy.read);
  std::memset(copy.to + copy.read, 0, copy.bytes - copy.read);
}

}  // namespace simt
