#pragma once
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "dispatch.h"
#include "profile.h"

// What _cpu, _sim and _cuda have in common: every op's binding, the tables and the profiler.
namespace baregrad {

namespace py = pybind11;

#define BAREGRAD_BIND(op) void bind_##op(py::module_& m);
BAREGRAD_OPS(BAREGRAD_BIND)
#undef BAREGRAD_BIND

inline void bind_extension(py::module_& m) {
  using namespace py::literals;
#define BAREGRAD_BIND(op) bind_##op(m);
  BAREGRAD_OPS(BAREGRAD_BIND)
#undef BAREGRAD_BIND

  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      py::set_error(PyExc_MemoryError,
                    "[memory] the arrays of this call or their scratch do not fit into memory");
    }
  });

  m.def(
      "available",
      [] {
        py::list names;
        for (const Kernels* table : available()) names.append(table->name);
        return names;
      },
      "The names of the tables that can run here, best first.");
  m.def("in_use", [] { return kernels().name; }, "The name of the table in use.");
  m.def(
      "select",
      [](const std::string& name, const std::vector<std::array<std::string, 3>>& rungs) {
        std::vector<Alternative> alternatives;
        for (const auto& [op, label, path] : rungs) alternatives.push_back({op, label, path});
        select(name, alternatives);
      },
      "name"_a, "alternatives"_a,
      "Use a table by name ('' is the best) with (op, label, path of a plug-in) laid over it.");

  py::dict slots;  // slot -> op
#define BAREGRAD_SLOT(op, slot) slots[#slot] = #op;
  BAREGRAD_SLOTS(BAREGRAD_SLOT)
#undef BAREGRAD_SLOT
  m.attr("SLOTS") = slots;

  m.def("profile_start", [] { Profiler::instance() = {true, {}}; }, "Count from zero.");
  m.def(
      "profile_stop",
      [] {
        py::list rows;
        for (const auto& [name, time] : Profiler::instance().times)
          rows.append(py::make_tuple(name, time.calls, time.nanoseconds));
        Profiler::instance() = {};
        return rows;
      },
      "Stop counting: a list of (kernel, calls, nanoseconds).");
}

}  // namespace baregrad
