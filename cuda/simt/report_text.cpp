#include "report_text.h"

#include <bit>
#include <cstdio>

namespace simt {

std::vector<int> numbers(Mask mask, int first) {
  std::vector<int> result;
  for (; mask != 0; mask &= mask - 1) result.push_back(first + std::countr_zero(mask));
  return result;
}

std::string numbered(std::string_view noun, const std::vector<int>& numbers) {
  std::string result(noun);
  if (numbers.size() > 1) result += 's';
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t start = i;
    while (i + 1 < numbers.size() && numbers[i + 1] == numbers[i] + 1) ++i;
    result += (start == 0 ? " " : ", ") + std::to_string(numbers[start]);
    if (i > start) result += '-' + std::to_string(numbers[i]);
  }
  return result;
}

std::string mask_text(Mask mask) {
  char digits[] = "0x00000000";
  std::snprintf(digits, sizeof digits, "0x%08x", mask);
  return digits;
}

std::string text(Location location) {
  const std::string_view path = location.file;
  const std::size_t slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return std::string(name) + ':' + std::to_string(location.line);
}

std::string text(const Site& site) {
  return std::string(site.operation) + " (" + text(site.location) + ')';
}

}  // namespace simt
