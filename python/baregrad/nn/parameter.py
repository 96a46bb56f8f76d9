"""Parameter: a tensor that a Module learns."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor, as_tensor
from ..typing import ArrayLike


class Parameter(Tensor):
    """A tensor of any shape that a Module learns: an attribute of one, it is among its parameters."""

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True) -> None:
        super().__init__(as_tensor(data), requires_grad=requires_grad)
        if isinstance(self.array, np.ndarray):  # an optimizer writes to it, row by row
            self.array = np.require(self.array, requirements=["C", "W"])
