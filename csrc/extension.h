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

// How Python calls a function that pybind11 made, and how pybind11 answers.
using FastCall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
inline FastCall pybind11_answers = nullptr;

// As pybind11, but what it says of arguments that do not fit becomes a sentence.
inline PyObject* answer(PyObject* self, PyObject* const* values, Py_ssize_t count,
                        PyObject* names) {
  PyObject* const result = pybind11_answers(self, values, count, names);
  if (result || !PyErr_ExceptionMatches(PyExc_TypeError)) return result;
  py::error_already_set error;
  try {
    std::vector<PyObject*> all = {error.value().ptr()};
    if (std::string(py::str(error.value())).find("incompatible function arguments") !=
        std::string::npos) {
      const Py_ssize_t given = PyVectorcall_NARGS(size_t(count));
      all.insert(all.end(), values, values + given + (names ? PyTuple_GET_SIZE(names) : 0));
      const py::object explain = py::module_::import("baregrad.misfit").attr("sentence");
      const auto sentence = py::reinterpret_steal<py::object>(
          PyObject_Vectorcall(explain.ptr(), all.data(), size_t(given) + 1, names));
      if (sentence) PyErr_SetObject(PyExc_TypeError, sentence.ptr());
      return nullptr;
    }
  } catch (...) {  // no memory: then pybind11's own words
  }
  error.restore();
  return nullptr;
}

inline void bind_extension(py::module_& m) {
  using namespace py::literals;
#define BAREGRAD_BIND(op) bind_##op(m);
  BAREGRAD_OPS(BAREGRAD_BIND)
#undef BAREGRAD_BIND

  for (const auto& [name, kernel] : py::dict(m.attr("__dict__"))) {
    if (!PyCFunction_Check(kernel.ptr())) continue;
    PyMethodDef* const method = reinterpret_cast<PyCFunctionObject*>(kernel.ptr())->m_ml;
    if (method->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) continue;
    pybind11_answers = reinterpret_cast<FastCall>(reinterpret_cast<void (*)()>(method->ml_meth));
    method->ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(answer));
  }

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
