"""baregrad, as people call it: tensors, layers, an optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
from baregrad import nn
from baregrad.nn import functional as F  # noqa: N812  as everybody calls it

Run = Callable[..., Any]


def about() -> dict[str, Any]:
    from baregrad import _cpu

    return {"version": bg.__version__, "threads": bg.get_num_threads(), "isa": _cpu.in_use()}


def take(array: Any) -> Any:
    return bg.from_numpy(array)


def give(tensor: Any) -> Any:
    return tensor.detach().numpy()


def gemm() -> Run:
    return lambda a, b: a @ b


def conv2d_forward(stride: int, padding: int) -> Run:
    return lambda x, w, bias: F.conv2d(x, w, bias, stride=stride, padding=padding)


def conv2d_both(stride: int, padding: int) -> Run:
    def run(x: Any, w: Any, bias: Any, dout: Any) -> Any:
        inputs = [tensor.requires_grad_() for tensor in (x, w, bias)]
        out = F.conv2d(*inputs, stride=stride, padding=padding)
        return (out, *bg.autograd.grad(out, inputs, dout))

    return run


def maxpool2d_both(window: int) -> Run:
    def run(x: Any, dout: Any) -> Any:
        out = F.max_pool2d(x.requires_grad_(), window)
        return (out, *bg.autograd.grad(out, [x], dout))

    return run


def relu() -> Run:
    return F.relu


def sigmoid() -> Run:
    return F.sigmoid


def tanh() -> Run:
    return F.tanh


def gelu() -> Run:
    return F.gelu


def softmax_xent_both() -> Run:
    def run(logits: Any, labels: Any) -> Any:
        loss = F.cross_entropy(logits.requires_grad_(), labels)
        return (loss, *bg.autograd.grad(loss, [logits]))

    return run


def adam_steps(params: Any, tensors: int, lr: float) -> Run:
    tensors_ = [row.detach().requires_grad_() for row in params.reshape(tensors, -1)]
    optimizer = bg.optim.Adam(tensors_, lr=lr)

    def run(grads: Any) -> Any:
        for tensor, grad in zip(tensors_, grads.reshape(tensors, -1), strict=True):
            tensor.grad = grad
        optimizer.step()
        return params

    return run


def mlp_step(lr: float, **start: Any) -> Run:
    layers = (nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    return _step(nn.Sequential(*layers), lr, start)


def cnn_step(lr: float, **start: Any) -> Run:
    layers = (
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    return _step(nn.Sequential(*layers), lr, start)


def _step(model: nn.Sequential, lr: float, start: dict[str, Any]) -> Run:
    model.load_state_dict(dict(zip(model.state_dict(), start.values(), strict=True)))
    optimizer = bg.optim.Adam(model.parameters(), lr=lr)

    def run(x: Any, labels: Any) -> Any:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return run
