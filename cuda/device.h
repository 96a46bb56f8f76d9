#pragma once
#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

namespace baregrad {

// What only this device offers to Python: of the simulator, its schedules and counts.
void bind_device(pybind11::module_& m);

// What DLPack calls a device of this kind.
extern const int32_t kDlDevice;

// What an error of the runtime means here.
std::string explain(cudaError_t error);

}  // namespace baregrad
