"""PyTorch, eager, as its users write it; with LAYOUT=channels_last its images lie that way."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  as everybody calls it

CHANNELS_LAST = os.environ.get("LAYOUT") == "channels_last"
Run = Callable[..., Any]


def about() -> dict[str, Any]:
    return {"version": torch.__version__, "threads": torch.get_num_threads()}


take = torch.from_numpy


def give(tensor: Any) -> Any:
    return tensor.detach().numpy()


def gemm() -> Run:
    def run(a: Any, b: Any, out: Any) -> Any:
        return torch.mm(a, b, out=out)

    return run


def conv2d_forward(stride: int, padding: int) -> Run:
    return lambda x, w, bias: F.conv2d(x, w, bias, stride, padding)


def conv2d_both(stride: int, padding: int) -> Run:
    def run(x: Any, w: Any, bias: Any, dout: Any) -> Any:
        inputs = [tensor.requires_grad_() for tensor in (x, w, bias)]
        out = F.conv2d(*inputs, stride, padding)
        return (out, *torch.autograd.grad(out, inputs, dout))

    return run


def maxpool2d_both(window: int) -> Run:
    def run(x: Any, dout: Any) -> Any:
        out = F.max_pool2d(x.requires_grad_(), window)
        return (out, *torch.autograd.grad(out, [x], dout))

    return run


def relu() -> Run:
    return torch.relu


def sigmoid() -> Run:
    return torch.sigmoid


def tanh() -> Run:
    return torch.tanh


def gelu() -> Run:
    return F.gelu


def softmax_xent_both() -> Run:
    def run(logits: Any, labels: Any) -> Any:
        loss = F.cross_entropy(logits.requires_grad_(), labels)
        return (loss, *torch.autograd.grad(loss, [logits]))

    return run


def adam_steps(params: Any, tensors: int, lr: float) -> Run:
    rows = [row.detach().requires_grad_() for row in params.view(tensors, -1)]
    optimizer = torch.optim.Adam(rows, lr=lr, fused=True)

    def run(grads: Any) -> Any:
        for row, grad in zip(rows, grads.view(tensors, -1), strict=True):
            row.grad = grad
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
    if CHANNELS_LAST:
        model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)

    def run(x: Any, labels: Any) -> Any:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run
