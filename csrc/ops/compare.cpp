#include "../binding.h"
#include "../strided.h"

// a (...), b (...) -> out (...) bool, broadcast, for every kind.
namespace baregrad {
namespace {

constexpr double kCompareCost = 0.2;  // nanoseconds an element

py::object compare(const char* op, CompareKind kind, py::handle a_, py::handle b_,
                   py::handle out_) {
  const Call call(op);
  const View a = call.floats("a", a_), b = call.floats("b", b_);
  const Shape shape = broadcast_shape(op, a, b);
  const View out = call.output("out", out_, shape, DType::boolean);
  call.expect_apart(out, a, false);
  call.expect_apart(out, b, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, shape);
  const Walk<2> way = walk(op, shape, a, b);
  call.run(double(result.size()) * kCompareCost, [&] {
    kernels().compare(kind, a.as<float>(), way.strides[0], b.as<float>(), way.strides[1],
                      result.as<uint8_t>(), way.extents STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

}  // namespace

void bind_compare(py::module_& m) {
  using namespace py::literals;
  py::list kinds;
#define BAREGRAD_BIND(kind)                                                                     \
  m.def(                                                                                        \
      #kind,                                                                                    \
      [](py::handle a, py::handle b, py::handle out) {                                          \
        return compare(#kind, compare_##kind, a, b, out);                                       \
      },                                                                                        \
      "a"_a, "b"_a, py::kw_only(), "out"_a = py::none(), "a (...), b (...) -> out (...) bool"); \
  kinds.append(#kind);
  BAREGRAD_COMPARE(BAREGRAD_BIND)
#undef BAREGRAD_BIND
  m.attr("COMPARE") = py::tuple(kinds);
}

}  // namespace baregrad
