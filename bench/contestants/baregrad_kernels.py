"""baregrad, the kernels themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np

kernels = bg.kernels.cpu
Run = Callable[..., Any]


def about() -> dict[str, Any]:
    from baregrad import _cpu

    return {"version": bg.__version__, "threads": bg.get_num_threads(), "isa": _cpu.in_use()}


def gemm() -> Run:
    gemm = kernels.gemm

    def run(a: Any, b: Any, out: Any) -> Any:
        return gemm(a, b, out=out)

    return run


def conv2d_forward(stride: int, padding: int) -> Run:
    def run(x: Any, w: Any, bias: Any, out: Any) -> Any:
        return kernels.conv2d_forward(x, w, bias, **options, out=out)

    options = {"stride": (stride, stride), "padding": (padding, padding)}
    return run


def conv2d_both(stride: int, padding: int) -> Run:
    def run(x: Any, w: Any, bias: Any, dout: Any) -> Any:
        return (
            kernels.conv2d_forward(x, w, bias, **options),
            kernels.conv2d_backward_input(dout, w, x.shape, **options),
            kernels.conv2d_backward_weight(x, dout, w.shape[2:], **options),
            kernels.reduce_sum(dout, (0, 2, 3)),
        )

    options = {"stride": (stride, stride), "padding": (padding, padding)}
    return run


def maxpool2d_both(window: int) -> Run:
    def run(x: Any, dout: Any) -> Any:
        out, places = kernels.maxpool2d_forward(x, kernel, stride=kernel)
        return out, kernels.maxpool2d_backward(places, dout, x.shape, kernel, stride=kernel)

    kernel = (window, window)
    return run


def relu() -> Run:
    return kernels.relu_forward


def sigmoid() -> Run:
    return kernels.sigmoid_forward


def tanh() -> Run:
    return kernels.tanh_forward


def gelu() -> Run:
    return kernels.gelu_forward


def softmax_xent_both() -> Run:
    def run(logits: Any, labels: Any) -> Any:
        n = len(logits)
        weight = np.full(n, 1 / n, np.float32)
        loss, dlogits = kernels.softmax_xent_forward(logits, labels, weight)
        return kernels.reduce_sum(loss, (0,)), dlogits

    return run


def adam_steps(params: Any, tensors: int, lr: float) -> Run:
    lists = [list(x.reshape(tensors, -1)) for x in (params, *np.zeros((2, *params.shape), "f"))]
    rate, step = np.array([lr], np.float32), np.array([0])

    def run(grads: Any) -> Any:
        step[0] += 1
        kernels.adam_step(lists[0], list(grads.reshape(tensors, -1)), *lists[1:], rate, step)
        return params

    return run
