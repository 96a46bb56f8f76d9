// The words of which reports are made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simt.h"

namespace simt {

// The lanes of `mask` as numbers from `first` on, ascending.
std::vector<int> numbers(Mask mask, int first = 0);

// {3} -> "thread 3", {0, 1, 2, 8} -> "threads 0-2, 8"
std::string numbered(std::string_view noun, const std::vector<int>& numbers);

std::string mask_text(Mask mask);     // "0x0000ffff"
std::string text(Location location);  // "gemm.cu:41"
std::string text(const Site& site);   // "__syncthreads (gemm.cu:41)"

}  // namespace simt
