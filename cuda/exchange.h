#pragma once
#include <pybind11/pybind11.h>

#include "array.h"

// Arrays that travel to other libraries and back without a copy: DLPack (dmlc.github.io/dlpack) and
// version 3 of the CUDA array interface (numba.readthedocs.io). Who takes an array says on which stream
// it will be used, and that stream waits for ours.
namespace baregrad {

void bind_exchange(py::class_<Array>& array);

}  // namespace baregrad
