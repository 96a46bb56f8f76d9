// What is known of each word of memory: who wrote it last and who read it since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace simt {

// An access to some bytes of a word, and when it was, as far as that orders it.
struct Access {
  std::uint64_t pc : 48;  // behind the instruction
  std::uint64_t thread : 10;
  std::uint64_t bytes : 4;  // a bit each; none where there was no access
  std::uint64_t write : 1;
  std::uint64_t atomic : 1;
  std::uint32_t block;       // counted from the first that ever ran
  std::uint32_t epoch : 20;  // of the block: barriers before
  std::uint32_t clock : 12;  // of the lane: __syncwarp before
};

struct Word {
  Access write, reads[2];  // the two last readers, of different threads
  std::uint32_t block;     // of what is told here, where memory is a block's own
};

inline constexpr std::size_t kWordBytes = 4;

// Of memory of so many bytes. Zeros, which the system gives as they are touched, say that nobody was
// there.
class Shadow {
 public:
  explicit Shadow(std::size_t bytes)
      : words_(zeros<Word>(bytes / kWordBytes + 1), &std::free),
        written_(zeros<std::uint8_t>(bytes / kWordBytes + 1), &std::free) {}

  Word& word(std::size_t number) { return words_[number]; }

  // The bytes of a word that anybody ever wrote, a bit each.
  std::uint8_t& written(std::size_t number) { return written_[number]; }

  void set_written(std::size_t begin, std::size_t bytes) {
    for (std::size_t byte = begin; byte < begin + bytes; ++byte)
      written(byte / kWordBytes) |= 1u << byte % kWordBytes;
  }

 private:
  template <typename T>
  static T* zeros(std::size_t count) {
    auto* const memory = static_cast<T*>(std::calloc(count, sizeof(T)));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }

  std::unique_ptr<Word[], void (*)(void*)> words_;
  std::unique_ptr<std::uint8_t[], void (*)(void*)> written_;
};

}  // namespace simt
