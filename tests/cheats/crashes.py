"""Reads where nothing is."""

from __future__ import annotations

import ctypes

import numpy as np


def about():
    return {"version": "0"}


def gemm():
    return lambda a, b, out: np.asarray(ctypes.string_at(0))
