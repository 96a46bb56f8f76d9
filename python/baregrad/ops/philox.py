"""Dropout. Its mask is not stored: the same seed and offset make it again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..autograd import Function
from ..backend import kernels
from ..random import philox_state
from ..replay import fresh
from ..typing import Array
from .arguments import number, operand

if TYPE_CHECKING:
    from ..tensor import Tensor


class Dropout(Function):
    """out = x / (1 - p) with probability 1 - p, else 0; dx = dout through the same mask."""

    def forward(self, x: Array, state: Array, p: float) -> Array:
        self.state, self.p = state, p
        return kernels(x).philox_dropout(x, state, p=p)

    def backward(self, dout: Array) -> tuple[Array, None]:
        return kernels(dout).philox_dropout(dout, self.state, p=self.p), None


def dropout(x: Tensor, p: float = 0.5) -> Tensor:
    """x (...) -> x / (1 - p) with probability 1 - p, else 0, each element by itself.

    Source: lecture 000, slide 32; Srivastava et al., 2014. ValueError unless 0 <= p <= 1.
    """
    operand("dropout", "x", x)
    if number("dropout", "p", p, 0, 1) == 0:
        return x
    state = fresh(x._backend, (2,), np.int64, lambda: philox_state(math.prod(x.shape)))
    return Dropout.apply(x, x._made(state, None), p=p)
