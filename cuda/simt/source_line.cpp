#include "source_line.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>

namespace simt {
namespace {

std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string text;
  std::array<char, 4096> part;
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe.get()) != nullptr)
    text += part.data();
  return text;
}

}  // namespace

SourceLine source_line(const void* pc) {
  Dl_info here;
  const auto* const instruction = static_cast<const char*>(pc) - 1;
  if (dladdr(instruction, &here) == 0) return {"?", 0};
  const auto offset = instruction - static_cast<const char*>(here.dli_fbase);
  char number[32];
  std::snprintf(number, sizeof number, " %#jx", static_cast<std::intmax_t>(offset));
  // A line for the function, then one for each that it was inlined into.
  const std::string lines =
      output_of("addr2line -i -e " + quoted(here.dli_fname) + number + " 2>/dev/null");
  for (std::string_view rest = lines; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos || line.find("/simt/include/") != std::string_view::npos ||
        line.find("/include/simt/") != std::string_view::npos)
      continue;
    int value = 0;
    std::from_chars(line.data() + colon + 1, line.data() + line.size(), value);
    if (value > 0) return {std::string(line.substr(0, colon)), value};
  }
  return {here.dli_fname, 0};
}

}  // namespace simt
