#include "../binding.h"
#include "../strided.h"

// a (...), b (...) -> out (...), broadcast, for every kind.
namespace baregrad {
namespace {

constexpr double kBinaryCost = 0.3, kPowCost = 3;  // nanoseconds an element

py::object binary(const char* op, BinaryKind kind, py::handle a_, py::handle b_, py::handle out_) {
  const Call call(op);
  const View a = call.floats("a", a_), b = call.floats("b", b_);
  const Shape shape = broadcast_shape(op, a, b);
  const View out = call.output("out", out_, shape);
  call.expect_apart(out, a, true);
  call.expect_apart(out, b, true);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, shape);
  const Walk<2> way = walk(op, shape, a, b);
  const double cost = kind == binary_pow ? kPowCost : kBinaryCost;
  call.run(double(result.size()) * cost, [&] {
    kernels().binary(kind, a.as<float>(), way.strides[0], b.as<float>(), way.strides[1],
                     result.as<float>(), way.extents STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

}  // namespace

void bind_binary(py::module_& m) {
  using namespace py::literals;
  py::list kinds;
#define BAREGRAD_BIND(kind)                                                                \
  m.def(                                                                                   \
      #kind,                                                                               \
      [](py::handle a, py::handle b, py::handle out) {                                     \
        return binary(#kind, binary_##kind, a, b, out);                                    \
      },                                                                                   \
      "a"_a, "b"_a, py::kw_only(), "out"_a = py::none(), "a (...), b (...) -> out (...)"); \
  kinds.append(#kind);
  BAREGRAD_BINARY(BAREGRAD_BIND)
#undef BAREGRAD_BIND
  m.attr("BINARY") = py::tuple(kinds);
}

}  // namespace baregrad
