"""One step of Adam (Kingma and Ba, 2015, algorithm 1; lecture 000, slide 12), in place."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, floats, output, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def adam_step(
    param: NDArray,
    grad: NDArray,
    m: NDArray,
    v: NDArray,
    learning_rate: NDArray,
    step: NDArray,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """param, grad, m, v (...), learning_rate (1,), step (1,) int64, 1 at the first -> param, m, v.

    g = grad + weight_decay param;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g g
    param -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
    """
    op = "adam_step"
    param = floats(op, "param", param)
    for name, state in (("param", param), ("m", m), ("v", v)):
        output(op, name, state, param, param.shape)
    grad = shaped(op, "grad", floats(op, "grad", grad, param.dtype), *param.shape)
    apart(op, "param", param, m=m, v=v, grad=grad)
    apart(op, "m", m, v=v, grad=grad)
    apart(op, "v", v, grad=grad)
    shaped(op, "learning_rate", floats(op, "learning_rate", learning_rate, param.dtype), 1)
    if shaped(op, "step", array(op, "step", step), 1).dtype != np.int64:
        raise TypeError(f"[{op}] step has dtype {step.dtype}, expected int64")
    for name, state in (("param", param), ("m", m), ("v", v)):
        apart(op, name, state, learning_rate=learning_rate, step=step)

    g = grad.astype(np.float64) + weight_decay * param.astype(np.float64)
    m[...] = new_m = beta1 * m.astype(np.float64) + (1 - beta1) * g
    v[...] = new_v = beta2 * v.astype(np.float64) + (1 - beta2) * g * g
    t = float(step[0])
    m_hat = new_m / (1 - beta1**t)
    v_hat = new_v / (1 - beta2**t)
    param[...] = param - float(learning_rate[0]) * m_hat / (np.sqrt(v_hat) + epsilon)
