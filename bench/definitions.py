"""What each work has to give: exact values in float64, and how far a float32 result may be off.

The definitions are the kernels of baregrad.reference and the bounds those of baregrad.cases, which
hold for any order of summation. A check takes the inputs of the calls and the state before them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import nn, reference
from baregrad.cases import (
    Case,
    adam_step,
    conv2d,
    gemm as gemm_cases,
    maxpool2d,
    softmax_xent,
    unary,
)
from baregrad.cases.case import unit_roundoff
from baregrad.cases.check import exact_result
from baregrad.cases.window import Windows, gamma
from baregrad.typing import NDArray

Check = tuple[NDArray, NDArray]  # exact values, bound
Checks = list[Check]
Inputs = dict[str, NDArray]


def by_case(case: Case, **arguments: Any) -> Checks:
    return list(zip(exact_result(case, arguments), case.bound(arguments), strict=True))


def gemm(inputs: Inputs) -> Checks:
    exact = inputs["a"].astype(np.float64) @ inputs["b"]
    return [(exact, gemm_cases.bound(inputs)[0])]


def conv2d_forward(inputs: Inputs, windows: Windows) -> Checks:
    options = windows.options("stride", "padding")
    return by_case(conv2d.case("conv2d_forward", windows), **inputs, **options)


def conv2d_both(inputs: Inputs, windows: Windows) -> Checks:
    x, w, bias, dout = inputs.values()
    options = windows.options("stride", "padding")

    def of(direction: str, **arguments: Any) -> Check:
        return by_case(conv2d.case(f"conv2d_{direction}", windows), **arguments, **options)[0]

    return [
        of("forward", x=x, w=w, bias=bias),
        of("backward_input", dout=dout, w=w, shape=windows.image),
        of("backward_weight", x=x, dout=dout, kernel=windows.kernel),
        total(dout.astype(np.float64), np.float64(0), (0, 2, 3)),
    ]


def total(x: NDArray, off: NDArray | np.float64, axes: tuple[int, ...]) -> Check:
    """The sum of x, each term off by `off`, in any order."""
    terms = x.size // max(1, x.sum(axes).size)
    sizes = np.abs(x) + off
    return x.sum(axes), gamma(terms) * sizes.sum(axes) + (sizes - np.abs(x)).sum(axes)


def maxpool2d_both(inputs: Inputs) -> Checks:
    x, dout = inputs["x"], inputs["dout"]
    windows = Windows(*x.shape, (2, 2), stride=(2, 2))
    options = windows.options("kernel", "stride", "padding")
    (out, exactly), (places, _) = by_case(
        maxpool2d.case("maxpool2d_forward", windows), x=x, **options
    )
    backward = maxpool2d.case("maxpool2d_backward", windows)
    back = by_case(backward, places=places, dout=dout, shape=windows.image, **options)
    return [(out, exactly), *back]


def activation(inputs: Inputs, kind: str) -> Checks:
    return by_case(unary.case(kind, "forward", inputs["x"].size), x=inputs["x"])


def softmax_xent_both(inputs: Inputs) -> Checks:
    """The mean of the losses, and its gradient."""
    n, c = inputs["logits"].shape
    weight = np.full(n, np.float32(1 / n))
    loss, dlogits = by_case(softmax_xent.forward(n, c), **inputs, weight=weight)
    return [total(*loss, (0,)), dlogits]


def adam_steps(calls: list[Inputs], state: Inputs, lr: float) -> Checks:
    """The parameters after all calls.

    In a step m and v are off by what cases/adam_step.py says, and by what is left of the steps
    before: at most 10 = 1 / (1 - beta1) times as much for m, as often as there were steps for v. A
    parameter is off by the sum of what the steps make.
    """
    start = state["params"]
    lists: dict[str, Any] = {
        "params": [start.astype(np.float64)],
        "ms": [np.zeros(start.shape)],
        "vs": [np.zeros(start.shape)],
        "learning_rate": np.array([lr]),
        "weight_decay": 0.0,
    }
    case, off = adam_step.case([start.size], False), np.zeros(start.shape)
    for t, inputs in enumerate(calls, 1):
        arguments = {**lists, "grads": [inputs["grads"].astype(np.float64)], "step": np.array([t])}
        off += max(10, t) * case.bound({"decoupled": False, **arguments})[0]
        reference.adam_step(**arguments)
    return [(lists["params"][0], off)]


MOST_TERMS = {"mlp_step": 784, "cnn_step": 128 * 28 * 28}  # of a sum in forward or backward


def steps(calls: list[Inputs], state: Inputs, kind: str, lr: float) -> list[Checks]:
    """The loss of every step, each on the parameters that the steps before it left.

    A sum of k terms in float32 is off by 4 sqrt(k) u at most, almost surely (Higham and Mary, 2019,
    "A new approach to probabilistic rounding error analysis"). How far that moves the losses of later
    steps is found by doing it: the steps are done again with gradients moved that far at random, three
    times. A loss may be four times as far off as the losses moved at most until then.
    """
    run = functools.partial(_losses, calls, state, kind, lr)
    exact, plain = run(bg.float64), run(bg.float32)
    moved = [run(bg.float32, np.random.default_rng(seed)) for seed in range(3)]
    apart = np.maximum.accumulate(np.abs(np.subtract(moved, plain)).max(axis=0))
    bounds = 4 * apart + _off(kind) * np.abs(exact)
    return [[(e, bound)] for e, bound in zip(exact[:, None], bounds[:, None], strict=True)]


def _off(kind: str) -> float:
    return 4 * math.sqrt(MOST_TERMS[kind]) * unit_roundoff


def _losses(
    calls: list[Inputs],
    state: Inputs,
    kind: str,
    lr: float,
    dtype: Any,
    rng: np.random.Generator | None = None,
) -> NDArray:
    """Of the steps as the definition does them, which runs all that is float64."""
    model = network(kind).to(dtype)
    starts = (bg.tensor(start, dtype=dtype) for start in state.values())
    model.load_state_dict(dict(zip(model.state_dict(), starts, strict=True)))
    optimizer = bg.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for inputs in calls:
        x, labels = bg.tensor(inputs["x"], dtype=dtype), bg.tensor(inputs["labels"])
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        for parameter in model.parameters() if rng else ():
            grad = parameter.grad.numpy()
            grad += _off(kind) * np.abs(grad).max() * rng.uniform(-1, 1, grad.shape)
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def network(kind: str) -> nn.Sequential:
    if kind == "mlp_step":
        layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(128, 10))
    convolutions = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(
        *convolutions, nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)
    )
