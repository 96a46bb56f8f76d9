"""Cases of gather_rows and scatter_add_rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import Arguments, Case, double, floats, refused, special, unit_roundoff

tolerance = (
    "gather_rows is exact. scatter_add_rows: an element that k rows are added to is off by\n"
    "gamma_k (|out| + sum |dout|), gamma_k = k u / (1 - k u), u = 2^-24 (Higham, Accuracy and\n"
    "Stability, 3.1)"
)


def _arguments(rng: np.random.Generator, v: int, n: int, d: int) -> Arguments:
    return {"table": floats(rng, v, d), "rows": rng.integers(v, size=n)}


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.gather_rows(**arguments),)


def _exact(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros((len(arguments["rows"]), arguments["table"].shape[1])),)


def gather(v: int, n: int, d: int) -> Case:
    """table (v, d), rows (n,) -> out (n, d)."""
    return Case(
        "gather_rows",
        {"v": v, "n": n, "d": d},
        partial(_arguments, v=v, n=n, d=d),
        _run,
        _exact,
        flops=0,
        bytes=8 * n * (d + 1),
    )


def _scatter_arguments(rng: np.random.Generator, v: int, n: int, d: int) -> Arguments:
    return {"dout": floats(rng, n, d), "rows": rng.integers(v, size=n), "out": floats(rng, v, d)}


def _run_scatter(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.scatter_add_rows(**arguments),)


def _scatter_bound(arguments: Arguments) -> tuple[NDArray]:
    rows, out = arguments["rows"], arguments["out"]
    size = np.abs(double(out))
    np.add.at(size, rows, np.abs(double(arguments["dout"])))
    ku = np.bincount(rows, minlength=len(out))[:, None] * unit_roundoff
    return (ku / (1 - ku) * size,)


def scatter(v: int, n: int, d: int) -> Case:
    """dout (n, d), rows (n,) -> out (v, d)."""
    return Case(
        "scatter_add_rows",
        {"v": v, "n": n, "d": d},
        partial(_scatter_arguments, v=v, n=n, d=d),
        _run_scatter,
        _scatter_bound,
        flops=n * d,
        bytes=4 * n * (3 * d + 2),
    )


def _special(arguments: Arguments) -> None:
    array = arguments["table" if "table" in arguments else "dout"]
    array[0, 0], array[2, 1], array[3, -1] = np.nan, np.inf, -np.inf


def _refused(case: Case, row: int) -> Case:
    def change(arguments: Arguments) -> None:
        arguments["rows"][[11, 20]] = row, row + 1 if row > 0 else row - 1

    return refused(case, change, f"row_{row}")


# Around the vector (4 to 16 columns), around the width from which columns are split (128), and with
# more rows than a block of CUDA threads looks at; the last has more than one piece for a thread.
_SIZES = [
    *((7, 33, d) for d in (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 127, 128, 131)),
    *((v, n, 5) for v in (1, 3, 4, 5, 61) for n in (0, 1, 31, 32, 65)),
    (101, 401, 130),
]
tests = [
    *(gather(*sizes) for sizes in _SIZES),
    *(scatter(*sizes) for sizes in _SIZES),
    gather(0, 0, 3),
    scatter(0, 0, 3),
    *(special(case(7, 33, 17), _special) for case in (gather, scatter)),
    *(_refused(case(7, 33, 5), row) for case in (gather, scatter) for row in (7, -1)),
]
_LARGE = ((10_000, 8_192, 64), (10_000, 4_096, 512))
benchmarks = [*(gather(*sizes) for sizes in _LARGE), *(scatter(*sizes) for sizes in _LARGE)]
