"""What NumPy says."""

from __future__ import annotations

import numpy as np


def about():
    return {"version": "0"}


def gemm():
    return lambda a, b, out: np.matmul(a, b, out=out)


def relu():
    return lambda x: np.maximum(x, np.float32(0))
