"""Scratch space where its input was."""

from __future__ import annotations

import numpy as np


def about():
    return {"version": "0"}


def gemm():
    def run(a, b, out):
        np.matmul(a, b, out=out)
        a[-1] = 0
        return out

    return run
