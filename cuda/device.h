#pragma once
#include <pybind11/pybind11.h>

namespace baregrad {

// What only this device offers to Python: of the simulator, its schedules.
void bind_device(pybind11::module_& m);

}  // namespace baregrad
