#include "../binding.h"

// logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c), and back
namespace baregrad {
namespace {

constexpr double kSoftmaxCost = 1;  // nanoseconds a logit

py::tuple softmax_xent_forward(py::handle logits_, py::handle labels_, py::handle weight_) {
  const Call call("softmax_xent_forward");
  const View logits = call.contiguous("logits", logits_);
  call.expect_rank(logits, "nc");
  const int64_t n = logits.shape[0], c = logits.shape[1];
  const View labels = call.labels("labels", labels_);
  call.expect_shape(labels, {n});
  std::optional<View> weight;
  if (!weight_.is_none()) {
    weight = call.contiguous("weight", weight_);
    call.expect_shape(*weight, {n});
  }

  const View loss = View::make(DType::float32, {n}), dlogits = View::make(DType::float32, {n, c});
  ErrorWord bad_row("softmax_xent_forward", "labels", c);
  call.run(double(n) * double(c) * kSoftmaxCost, [&] {
    kernels().softmax_xent_forward(logits.as<float>(), labels.as<int64_t>(),
                                   weight ? weight->as<float>() : nullptr, loss.as<float>(),
                                   dlogits.as<float>(), bad_row.pointer(), n, c STREAM_ARGUMENT);
  });
  bad_row.raise_at_once(labels_);
  return py::make_tuple(loss.object, dlogits.object);
}

py::object softmax_xent_backward(py::handle saved_, py::handle dloss_, py::handle out_) {
  const Call call("softmax_xent_backward");
  const View saved = call.contiguous("saved", saved_);
  call.expect_rank(saved, "nc");
  const int64_t n = saved.shape[0], c = saved.shape[1];
  const View dloss = call.contiguous("dloss", dloss_);
  call.expect_shape(dloss, {n});
  const View out = call.output("out", out_, saved.shape);
  call.expect_apart(out, saved, true);
  call.expect_apart(out, dloss, false);
  const View dlogits = out.is_contiguous() ? out : View::make(out.dtype, out.shape);
  call.run(double(n) * double(c) * 8 / kBytesPerNanosecond, [&] {
    kernels().softmax_xent_backward(saved.as<float>(), dloss.as<float>(), dlogits.as<float>(), n,
                                    c STREAM_ARGUMENT);
  });
  out.assign(dlogits);
  return out.object;
}

}  // namespace

void bind_softmax_xent(py::module_& m) {
  using namespace py::literals;
  m.def("softmax_xent_forward", &softmax_xent_forward, "logits"_a, "labels"_a,
        "weight"_a = py::none(),
        "logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)");
  m.def("softmax_xent_backward", &softmax_xent_backward, "saved"_a, "dloss"_a, py::kw_only(),
        "out"_a = py::none(), "saved (n, c), dloss (n,) -> dlogits (n, c) = saved dloss");
}

}  // namespace baregrad
