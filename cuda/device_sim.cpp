#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "../csrc/interruptible.h"
#include "device.h"
#include "simt/simt.h"

namespace baregrad {

void bind_device(pybind11::module_& m) {
  using namespace pybind11::literals;
  // Plug-ins with kernels of their own call the simulator that is in this library, so it has to be
  // where the dynamic linker looks.
  Dl_info here;
  if (dladdr(reinterpret_cast<void*>(&bind_device), &here))
    dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);

  simt::ask_between_blocks([] {
    Interruptible* const watch = Interruptible::innermost();
    return watch != nullptr && watch->is_over();
  });

  m.def(
      "set_schedule",
      [](const std::string& name) {
        if (!simt::set_schedule(name.c_str()))
          throw std::invalid_argument("[set_schedule] schedule is '" + name +
                                      "', expected forward, reverse or random:<seed>");
      },
      "name"_a, "The order in which blocks, warps and lanes run.");
  m.def("schedule", [] { return std::string(simt::schedule()); });
}

}  // namespace baregrad
