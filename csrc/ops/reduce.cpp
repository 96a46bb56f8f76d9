#include <algorithm>

#include "../binding.h"
#include "../strided.h"

// x (...), axes -> out (... without axes), for every kind, and x (...), axis -> places
namespace baregrad {
namespace {

constexpr double kReduceCost = 0.2;  // nanoseconds an element

// x as what is kept and what is reduced. What is left keeps its order; reduced axes go by steps, the
// longest outside, so that those which can be walked as one are.
struct Axes {
  Shape shape;  // of what is left
  Walk<1> kept, reduced;
};

Axes split(const Call& call, const char* op, const View& x, const Shape& axes) {
  const int64_t rank = int64_t(x.shape.size());
  Shape order = axes;
  for (int64_t axis : axes) {
    const bool again = std::count(axes.begin(), axes.end(), axis) > 1;
    if (again || axis < 0 || axis >= rank)
      call.wrong_value("axes is " + text(axes) + ", expected different axes of x, 0 <= axis < " +
                       std::to_string(rank));
  }
  Axes result = {{}, {op}, {op}};
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (std::count(axes.begin(), axes.end(), axis)) continue;
    result.shape.push_back(x.shape[size_t(axis)]);
    result.kept.add(x.shape[size_t(axis)], {step_along(x, x.shape, size_t(axis))});
  }
  const auto step = [&](int64_t axis) { return std::abs(x.strides[size_t(axis)]); };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return step(a) > step(b); });
  for (int64_t axis : order)
    result.reduced.add(x.shape[size_t(axis)], {step_along(x, x.shape, size_t(axis))});
  return result;
}

void expect_elements(const Call& call, const View& x, const Shape& axes, const Shape& kept) {
  if (elements(kept) == 0) return;
  for (int64_t axis : axes)
    if (x.shape[size_t(axis)] == 0)
      call.wrong_value("x has no element along axis " + std::to_string(axis) +
                       ", expected at least one");
}

py::object reduce(const char* op, ReduceKind kind, py::handle x_, const Shape& axes,
                  double correction, py::handle out_) {
  const Call call(op);
  const View x = call.floats("x", x_);
  const Axes split_x = split(call, op, x, axes);
  if (kind == reduce_max || kind == reduce_min) expect_elements(call, x, axes, split_x.shape);
  const View out = call.output("out", out_, split_x.shape);
  call.expect_apart(out, x, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  int64_t reduced = 1;
  for (int64_t axis : axes) reduced *= x.shape[size_t(axis)];
  const Kernels& table = kernels();
  const Workspace workspace(table.reduce_workspace(result.size(), reduced));
  call.run(double(x.size()) * kReduceCost, [&] {
    table.reduce(kind, x.as<float>(), split_x.kept.extents, split_x.kept.strides[0],
                 split_x.reduced.extents, split_x.reduced.strides[0], result.as<float>(),
                 correction, workspace.data() STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

py::object place(const char* op, PlaceKind kind, py::handle x_, int64_t axis, py::handle out_) {
  const Call call(op);
  const View x = call.floats("x", x_);
  const Axes split_x = split(call, op, x, {axis});
  expect_elements(call, x, {axis}, split_x.shape);
  const View out = call.output("out", out_, split_x.shape, DType::int64);
  call.expect_apart(out, x, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  call.run(double(x.size()) * kReduceCost, [&] {
    kernels().reduce_place(kind, x.as<float>(), split_x.kept.extents, split_x.kept.strides[0],
                           x.shape[size_t(axis)], split_x.reduced.strides[0].step[0],
                           result.as<int64_t>() STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

}  // namespace

void bind_reduce(py::module_& m) {
  using namespace py::literals;
#define BAREGRAD_BIND(kind)                                               \
  if (reduce_##kind != reduce_var)                                        \
    m.def(                                                                \
        "reduce_" #kind,                                                  \
        [](py::handle x, const Shape& axes, py::handle out) {             \
          return reduce("reduce_" #kind, reduce_##kind, x, axes, 0, out); \
        },                                                                \
        "x"_a, "axes"_a, py::kw_only(), "out"_a = py::none(),             \
        "x (...), axes -> out (... without axes) = the " #kind);
  BAREGRAD_REDUCE(BAREGRAD_BIND)
#undef BAREGRAD_BIND
  m.def(
      "reduce_var",
      [](py::handle x, const Shape& axes, double correction, py::handle out) {
        return reduce("reduce_var", reduce_var, x, axes, correction, out);
      },
      "x"_a, "axes"_a, py::kw_only(), "correction"_a = 1.0, "out"_a = py::none(),
      "x (...), axes -> out (... without axes) = sum of (x - mean)^2 / max(n - correction, 0)");
#define BAREGRAD_BIND(kind)                                 \
  m.def(                                                    \
      #kind,                                                \
      [](py::handle x, int64_t axis, py::handle out) {      \
        return place(#kind, place_##kind, x, axis, out);    \
      },                                                    \
      "x"_a, "axis"_a, py::kw_only(), "out"_a = py::none(), \
      "x (...), axis -> out (... without axis) int64: the first place");
  BAREGRAD_PLACE(BAREGRAD_BIND)
#undef BAREGRAD_BIND
}

}  // namespace baregrad
