"""Reads where nothing is."""

from __future__ import annotations

import ctypes
import signal

import numpy as np


def about():
    return {"version": "0"}


def gemm():
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # a sanitizer would make a report of it
    return lambda a, b, out: np.asarray(ctypes.string_at(0))
