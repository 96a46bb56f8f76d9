#include "source_line.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <map>
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

// Functions of the simulator and of the C++ library, instructions and accesses of 16 bytes: whoever
// calls them is meant.
bool is_word(std::string_view line) {
  constexpr std::string_view words[] = {"/simt/include/", "/include/simt/",
                                        "/ptx.h:", "/fours.cuh:"};
  return line.starts_with("/usr/") || std::ranges::any_of(words, [&](std::string_view word) {
           return line.find(word) != std::string_view::npos;
         });
}

// gemm.cu:41 (discriminator 3)
SourceLine parsed(std::string_view line, const SourceLine& otherwise) {
  if (line.starts_with("./")) line.remove_prefix(2);  // where the library was compiled
  const std::size_t colon = line.rfind(':');
  int value = 0;
  if (colon != std::string_view::npos)
    std::from_chars(line.data() + colon + 1, line.data() + line.size(), value);
  return value > 0 ? SourceLine{std::string(line.substr(0, colon)), value} : otherwise;
}

}  // namespace

CodePlace place_of(const void* pc) {
  Dl_info here;
  if (dladdr(pc, &here) == 0) return {"", 0};
  const auto offset = static_cast<const char*>(pc) - static_cast<const char*>(here.dli_fbase);
  return {here.dli_fname, static_cast<std::uintptr_t>(offset)};
}

std::vector<SourceLine> source_lines(const std::vector<const void*>& pcs) {
  struct Library {
    std::string name, offsets;        // as addr2line takes them
    std::vector<std::size_t> places;  // in the result
  };
  std::map<const void*, Library> libraries;
  std::vector<SourceLine> result(pcs.size(), {"?", 0});
  for (std::size_t place = 0; place < pcs.size(); ++place) {
    Dl_info here;
    const auto* const instruction = static_cast<const char*>(pcs[place]) - 1;
    if (dladdr(instruction, &here) == 0) continue;
    Library& library = libraries[here.dli_fbase];
    char offset[32];
    std::snprintf(offset, sizeof offset, " %#jx",
                  static_cast<std::intmax_t>(instruction - static_cast<char*>(here.dli_fbase)));
    library.name = here.dli_fname;
    library.offsets += offset;
    library.places.push_back(place);
    result[place] = {library.name, 0};
  }
  for (const auto& [base, library] : libraries) {
    const std::string lines =
        output_of("addr2line -a -i -e " + quoted(library.name) + library.offsets + " 2>/dev/null");
    std::size_t addresses = 0;  // before each, its own; then a line for the function, and one for
    for (std::string_view rest = lines; !rest.empty();) {  // each that it was inlined into
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (line.starts_with("0x")) ++addresses;
      if (line.starts_with("0x") || addresses == 0) continue;
      SourceLine& found = result[library.places[addresses - 1]];
      if (found.line == 0 && !is_word(line)) found = parsed(line, found);
    }
  }
  return result;
}

}  // namespace simt
