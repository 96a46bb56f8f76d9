"""Returns a promise, as runtimes that queue their work do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np


def about():
    return {"version": "0"}


def relu():
    thread = ThreadPoolExecutor(1)
    return lambda x: thread.submit(np.maximum, x, np.float32(0))


def give(promise):
    return promise.result() if hasattr(promise, "result") else promise
