#include "private_memory.h"

#include <link.h>

namespace simt {
namespace {

struct Question {
  const std::byte* address;
  Range answer;
};

int look_into(dl_phdr_info* library, std::size_t, void* data) {
  auto& question = *static_cast<Question*>(data);
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const auto& part = library->dlpi_phdr[i];
    const bool of_threads = part.p_type == PT_TLS;
    if (part.p_type != PT_LOAD && !of_threads) continue;
    const auto* const begin =
        of_threads ? static_cast<const std::byte*>(library->dlpi_tls_data)
                   : reinterpret_cast<const std::byte*>(library->dlpi_addr + part.p_vaddr);
    const Range range = {begin, begin == nullptr ? begin : begin + part.p_memsz};
    if (range.holds(question.address)) question.answer = range;
  }
  return question.answer.begin != nullptr;
}

}  // namespace

Range private_memory(const std::byte* address) {
  Question question = {address, {}};
  dl_iterate_phdr(look_into, &question);
  return question.answer;
}

}  // namespace simt
