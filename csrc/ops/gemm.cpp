#include "../binding.h"

// a (m, k), b (k, n) -> out (m, n), or a (batch, m, k), b (batch, k, n) -> out (batch, m, n)
namespace baregrad {
namespace {

// The view as (batch, row, column), with strides in elements.
template <class M>
M matrix(const View& view) {
  const int64_t item = size_of(view.dtype);
  const size_t rank = view.shape.size();
  return {view.as<float>(), rank == 3 ? view.strides[0] / item : 0, view.strides[rank - 2] / item,
          view.strides[rank - 1] / item};
}

py::object gemm(py::handle a_, py::handle b_, py::handle bias_, float alpha, float beta,
                py::handle out_) {
  const Call call("gemm");
  const View a = call.floats("a", a_), b = call.floats("b", b_);
  const bool batched = a.shape.size() == 3;
  call.expect_rank(a, batched ? "bmk" : "mk");
  const size_t rank = a.shape.size();
  const int64_t batch = batched ? a.shape[0] : 1, m = a.shape[rank - 2], k = a.shape[rank - 1];
  if (b.shape.size() != rank || b.shape[rank - 2] != k || (batched && b.shape[0] != batch))
    call.wrong_shape(
        b, "(" + (batched ? std::to_string(batch) + ", " : "") + std::to_string(k) + ", n)");
  const int64_t n = b.shape[rank - 1];
  if (out_.is_none() && beta != 0) call.wrong_value("beta is not 0 but there is no out to scale");
  const View out = call.output("out", out_, batched ? Shape{batch, m, n} : Shape{m, n});
  call.expect_apart(out, a, false);
  call.expect_apart(out, b, false);
  std::optional<View> bias;
  if (!bias_.is_none()) {
    bias = call.contiguous("bias", bias_);
    call.expect_shape(*bias, {n});
    call.expect_apart(out, *bias, false);
  }

  if (out.size() == 0) return out.object;  // however many products of nothing there are
  if (beta != 0) call.must_finish();
  const GemmSize size = {batch, m, n, k};
  const Kernels& table = kernels();
  const Workspace workspace(table.gemm_workspace(size));
  call.run(2.0 * double(batch) * double(m) * double(n) * double(k) / kFlopsPerNanosecond, [&] {
    table.gemm(matrix<ConstMatrix>(a), matrix<ConstMatrix>(b), bias ? bias->as<float>() : nullptr,
               matrix<Matrix>(out), size, alpha, beta, workspace.data() STREAM_ARGUMENT);
  });
  return out.object;
}

}  // namespace

void bind_gemm(py::module_& m) {
  using namespace py::literals;
  m.def("gemm", &gemm, "a"_a, "b"_a, py::kw_only(), "bias"_a = py::none(), "alpha"_a = 1.f,
        "beta"_a = 0.f, "out"_a = py::none(),
        "a (m, k), b (k, n), bias (n,) -> out (m, n) = alpha a b + beta out + bias");
}

}  // namespace baregrad
