#include "../binding.h"

// table (v, d), rows (n,) -> out (n, d), and back: dout (n, d), rows (n,) -> out (v, d), added to
namespace baregrad {
namespace {

py::object gather_rows(py::handle table_, py::handle rows_, py::handle out_) {
  const Call call("gather_rows");
  const View table = call.contiguous("table", table_);
  call.expect_rank(table, "vd");
  const View rows = call.labels("rows", rows_);
  call.expect_rank(rows, "n");
  const int64_t v = table.shape[0], n = rows.shape[0], d = table.shape[1];
  const View out = call.output("out", out_, {n, d});
  call.expect_apart(out, table, false);
  call.expect_apart(out, rows, false);
  const View result = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  ErrorWord bad_row("gather_rows", "rows", v);
  call.run(double(n) * double(d) * 8 / kBytesPerNanosecond, [&] {
    kernels().gather_rows(table.as<float>(), rows.as<int64_t>(), result.as<float>(),
                          bad_row.pointer(), v, n, d STREAM_ARGUMENT);
  });
  bad_row.raise_at_once(rows_);
  out.assign(result);
  return out.object;
}

py::object scatter_add_rows(py::handle dout_, py::handle rows_, py::handle out_) {
  const Call call("scatter_add_rows");
  const View dout = call.contiguous("dout", dout_);
  call.expect_rank(dout, "nd");
  const int64_t n = dout.shape[0], d = dout.shape[1];
  const View rows = call.labels("rows", rows_);
  call.expect_shape(rows, {n});
  const View out = call.array("out", out_);
  if (out.shape.size() != 2 || out.shape[1] != d)
    call.wrong_shape(out, "(v, " + std::to_string(d) + ")");
  const int64_t v = out.shape[0];
  call.output("out", out_, {v, d});
  call.expect_apart(out, dout, false);
  call.expect_apart(out, rows, false);
  const View total = out.contiguous();
  call.must_finish();
  ErrorWord bad_row("scatter_add_rows", "rows", v);
  call.run(double(n) * double(d) * 12 / kBytesPerNanosecond, [&] {
    kernels().scatter_add_rows(dout.as<float>(), rows.as<int64_t>(), total.as<float>(),
                               bad_row.pointer(), v, n, d STREAM_ARGUMENT);
  });
  bad_row.raise_at_once(rows_);
  out.assign(total);
  return out.object;
}

}  // namespace

void bind_gather_rows(py::module_& m) {
  using namespace py::literals;
  m.def("gather_rows", &gather_rows, "table"_a, "rows"_a, py::kw_only(), "out"_a = py::none(),
        "table (v, d), rows (n,) -> out (n, d) = table[rows]");
  m.def("scatter_add_rows", &scatter_add_rows, "dout"_a, "rows"_a, "out"_a,
        "dout (n, d), rows (n,) -> out (v, d), in place: out[rows[i]] += dout[i], in order of i");
}

}  // namespace baregrad
