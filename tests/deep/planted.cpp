// Faults that a sanitizer has to find: see asan.py and tsan.py.
#include <thread>
#include <vector>

// Reads a float beyond the end of what it was given.
extern "C" float overrun(int) {
  std::vector<float> three(3, 1.f);
  const volatile int end = 3;
  return three.data()[end];
}

extern "C" int wrap(int n) { return n + 1; }

// Two threads write a number without a word to each other.
extern "C" int race(int) {
  static volatile int shared = 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(2)
  for (int i = 0; i < 1000; ++i) shared = shared + 1;
#else
  const auto count = [] {
    for (int i = 0; i < 1000; ++i) shared = shared + 1;
  };
  std::thread other(count);
  count();
  other.join();
#endif
  return shared;
}
