#pragma once
#include <string>
#include <vector>

#include "kernels.h"

// Which table is in use.
namespace baregrad {

// The tables that can run here, best first: a CPU's instruction sets, or the one of a device.
const std::vector<const Kernels*>& available();

// The table in use: the best one, or what select() said last.
const Kernels& kernels();

// The first error that a runtime of its plug-ins has to tell, once, and 0 if none has.
int plugin_error();

// One op's alternative, from a shared library that exports baregrad_plugin.
struct Alternative {
  std::string op, label, path;
};

// Use the table called `name`, or with "" the best, with these alternatives laid over it. Throws
// std::invalid_argument for a name that cannot run here, a library that cannot be opened, and one
// that leaves the table as it was.
void select(const std::string& name, const std::vector<Alternative>& alternatives);

}  // namespace baregrad
