"""One step of Adam (Kingma and Ba, 2015, algorithm 1; lecture 000, slide 12) for all parameters.

With `decoupled` it is AdamW (Loshchilov and Hutter, 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, in_step, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def adam_step(
    params: Sequence[NDArray],
    grads: Sequence[NDArray],
    ms: Sequence[NDArray],
    vs: Sequence[NDArray],
    learning_rate: NDArray,
    step: NDArray,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """params, grads, ms, vs, each a list of (...), learning_rate (1,), step (1,) -> params, ms, vs.

    In place; step is int64 and 1 at first. g = grad + weight_decay param, or if decoupled g = grad
    and param *= 1 - learning_rate weight_decay;  m = beta1 m + (1 - beta1) g;
    v = beta2 v + (1 - beta2) g g;
    param -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
    """
    op = "adam_step"
    rate = in_step(op, params, grads, learning_rate, ms=ms, vs=vs)
    if shaped(op, "step", array(op, "step", step), 1).dtype != np.int64:
        raise TypeError(f"[{op}] step has dtype {step.dtype}, expected int64")
    for name, states in (("params", params), ("ms", ms), ("vs", vs)):
        for i, state in enumerate(states):
            apart(op, f"{name}[{i}]", state, step=step)
    t = float(step[0])
    for param, grad, m, v in zip(params, grads, ms, vs, strict=True):
        p, g = param.astype(np.float64), grad.astype(np.float64)
        if decoupled:
            p *= 1 - rate * weight_decay
        else:
            g = g + weight_decay * p
        m[...] = new_m = beta1 * m.astype(np.float64) + (1 - beta1) * g
        v[...] = new_v = beta2 * v.astype(np.float64) + (1 - beta2) * g * g
        m_hat, v_hat = new_m / (1 - beta1**t), new_v / (1 - beta2**t)
        param[...] = p - rate * m_hat / (np.sqrt(v_hat) + epsilon)
