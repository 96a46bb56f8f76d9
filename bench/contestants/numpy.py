"""NumPy, whose products are OpenBLAS's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[..., Any]


def about() -> dict[str, Any]:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {"version": np.__version__, "blas": f"{blas['name']} {blas['version']}"}


def gemm() -> Run:
    def run(a: Any, b: Any, out: Any) -> Any:
        return np.matmul(a, b, out=out)

    return run
