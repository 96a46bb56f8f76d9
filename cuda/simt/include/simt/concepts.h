// The types for which CUDA has an overload of each family of functions.
#pragma once

#include <concepts>

namespace simt {

template <typename T, typename... Others>
concept OneOf = (std::same_as<T, Others> || ...);

// 64-bit atomics are declared for long long alone, not for long, as in CUDA.
template <typename T>
concept AtomicInteger = OneOf<T, int, unsigned, unsigned long long>;

template <typename T>
concept AtomicSignedInteger = AtomicInteger<T> || OneOf<T, long long>;

template <typename T>
concept AtomicSummand = AtomicInteger<T> || OneOf<T, float, double>;

template <typename T>
concept AtomicWord = AtomicInteger<T> || OneOf<T, float>;

template <typename T>
concept ShuffleValue =
    OneOf<T, int, unsigned, long, unsigned long, long long, unsigned long long, float, double>;

// min and max take two integers or two floating-point numbers, of any widths.
template <typename A, typename B>
concept Comparable =
    (std::integral<A> && std::integral<B>) || (std::floating_point<A> && std::floating_point<B>);

}  // namespace simt
