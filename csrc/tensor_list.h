#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "binding.h"

// The lists of arrays that an optimizer's step takes, and that nothing it writes is in two of them.
namespace baregrad {

// One argument of the step: a list of arrays, one for each parameter, or a single array.
struct Operand {
  std::string name;
  bool written;
  std::vector<View> views;
};

// The arrays of `value`, a list or tuple: those that are written stay where they are, of the others
// a contiguous copy will do. The first list of a step, `params`, is what the others have to fit.
inline Operand tensor_list(const Call& call, const std::string& name, py::handle value,
                           bool written, const Operand* params) {
  if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value))
    call.wrong_type(name + " is " + Call::an(value) + ", expected a list of arrays");
  const auto list = py::reinterpret_borrow<py::sequence>(value);
  if (params && list.size() != params->views.size())
    call.wrong_value(name + " has " + std::to_string(list.size()) + " arrays, expected " +
                     std::to_string(params->views.size()));
  Operand operand = {name, written, {}};
  operand.views.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string here = name + "[" + std::to_string(i) + "]";
    const py::object array = list[i];
    operand.views.push_back(written ? call.in_place(here, array) : call.contiguous(here, array));
    if (params) call.expect_shape(operand.views.back(), params->views[i].shape);
  }
  return operand;
}

// No array that is written shares memory with any other of the step: parameters are taken in any
// order, by any thread. Sorted by address, each has to begin where the ones before it have ended.
inline void expect_all_apart(const Call& call, const std::vector<Operand>& operands) {
  struct Span {
    const View* view;
    const char *low, *high;
    bool written;
    size_t order;  // in which the arrays are named
  };
  std::vector<Span> spans;
  for (const Operand& operand : operands)
    for (const View& view : operand.views) {
      const Extent e = extent(view);
      if (e.low < e.high) spans.push_back({&view, e.low, e.high, operand.written, spans.size()});
    }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.low < b.low; });

  const Span *furthest = nullptr, *furthest_written = nullptr;
  for (const Span& span : spans) {
    const Span* before = span.written ? furthest : furthest_written;
    if (before && before->high > span.low) {
      const bool first = span.written && (!before->written || span.order < before->order);
      call.expect_apart(*(first ? span : *before).view, *(first ? *before : span).view, false);
    }
    if (!furthest || span.high > furthest->high) furthest = &span;
    if (span.written && (!furthest_written || span.high > furthest_written->high))
      furthest_written = &span;
  }
}

inline int64_t total_size(const Operand& operand) {
  int64_t n = 0;
  for (const View& view : operand.views) n += view.size();
  return n;
}

}  // namespace baregrad
