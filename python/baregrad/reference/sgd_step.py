"""One step of stochastic gradient descent, with momentum, for all parameters, in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import NDArray
from .arguments import in_step


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def sgd_step(
    params: Sequence[NDArray],
    grads: Sequence[NDArray],
    velocities: Sequence[NDArray] | None,
    learning_rate: NDArray,
    *,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> None:
    """params, grads, velocities, each a list of (...), learning_rate (1,) -> params, velocities.

    g = grad + weight_decay param;  v = momentum v + g  (velocities None: v = g, nothing is kept)
    param -= learning_rate (g + momentum v if nesterov else v)
    Source: lecture 000, slide 10, where v is called g; Sutskever et al. 2013 for Nesterov's.
    """
    states = {} if velocities is None else {"velocities": velocities}
    rate = in_step("sgd_step", params, grads, learning_rate, **states)
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        g = grad.astype(np.float64) + weight_decay * param.astype(np.float64)
        v = g
        if velocities is not None:
            v = momentum * velocities[i].astype(np.float64) + g
            velocities[i][...] = v
        param[...] = param - rate * (g + momentum * v if nesterov else v)
