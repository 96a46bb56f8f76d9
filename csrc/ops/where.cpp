#include "../binding.h"
#include "../strided.h"

// condition (...) bool, a (...), b (...) -> out (...), broadcast
namespace baregrad {
namespace {

constexpr double kWhereCost = 0.3;  // nanoseconds an element

py::object where(py::handle condition_, py::handle a_, py::handle b_, py::handle out_) {
  const char* op = "where";
  const Call call(op);
  const View condition = call.array("condition", condition_);
  call.expect_dtype(condition, DType::boolean);
  const View a = call.floats("a", a_), b = call.floats("b", b_);
  const Shape shape = broadcast_shape(op, condition, a, b);
  const View out = call.output("out", out_, shape);
  call.expect_apart(out, a, true);
  call.expect_apart(out, b, true);
  call.expect_apart(out, condition, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, shape);
  const Walk<3> way = walk(op, shape, condition, a, b);
  call.run(double(result.size()) * kWhereCost, [&] {
    kernels().where(condition.as<uint8_t>(), way.strides[0], a.as<float>(), way.strides[1],
                    b.as<float>(), way.strides[2], result.as<float>(), way.extents STREAM_ARGUMENT);
  });
  out.assign(result);
  return out.object;
}

}  // namespace

void bind_where(py::module_& m) {
  using namespace py::literals;
  m.def("where", &where, "condition"_a, "a"_a, "b"_a, py::kw_only(), "out"_a = py::none(),
        "condition (...) bool, a (...), b (...) -> out (...)");
}

}  // namespace baregrad
