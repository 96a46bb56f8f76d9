"""Cases of im2col and col2im."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import Arguments, Case, double, floats, special
from .window import Windows, gamma, sprinkle

tolerance = (
    "im2col: exact\n"
    "col2im: |error| <= g col2im(|columns|), g = kh kw u / (1 - kh kw u) and u = 2^-24: a pixel is a\n"
    "        sum of at most kh kw cells"
)

_OPTIONS = ("kernel", "stride", "padding", "dilation")


def _arguments(rng: np.random.Generator, kernel: str, windows: Windows) -> Arguments:
    options = windows.options(*_OPTIONS)
    if kernel == "im2col":
        return {"x": floats(rng, *windows.image), **options}
    oh, ow = windows.output
    columns = floats(rng, windows.n, windows.c * windows.cells, oh * ow)
    return {"columns": columns, "shape": windows.image, **options}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _bound(kernel: str, windows: Windows, arguments: Arguments) -> tuple[NDArray]:
    if kernel == "im2col":
        return (np.zeros_like(reference.im2col(**arguments)),)
    sizes = {**arguments, "columns": np.abs(double(arguments["columns"]))}
    return (gamma(windows.cells) * reference.col2im(**sizes),)


def case(kernel: str, windows: Windows) -> Case:
    """x (n, c, h, w) -> columns (n, c kh kw, oh ow), or back."""
    oh, ow = windows.output
    columns = windows.n * windows.c * windows.cells * oh * ow
    return Case(
        kernel,
        windows.sizes,
        partial(_arguments, kernel=kernel, windows=windows),
        partial(_run, kernel),
        partial(_bound, kernel, windows),
        flops=columns if kernel == "col2im" else 0,
        bytes=4 * (columns + windows.n * windows.c * windows.h * windows.w),
    )


_shapes = [
    Windows(0, 2, 5, 5, (3, 3)),
    Windows(2, 0, 5, 5, (3, 3)),
    Windows(2, 3, 0, 4, (2, 1), padding=(1, 0)),
    Windows(1, 1, 1, 1, (3, 3), padding=(1, 1)),
    Windows(2, 3, 7, 5, (3, 2), padding=(1, 1)),
    Windows(1, 2, 4, 4, (3, 3), padding=(5, 4)),
    *(Windows(2, 1, 2, w, (1, 3), padding=(0, 1)) for w in (3, 4, 7, 8, 9, 15, 16, 17, 33)),
    Windows(2, 3, 8, 8, (2, 2), stride=(2, 2)),
    Windows(2, 3, 9, 10, (3, 3), stride=(2, 3)),
    Windows(2, 2, 12, 12, (3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 2)),
    Windows(2, 2, 67, 71, (3, 3), padding=(1, 1)),
]
tests = [case(kernel, windows) for kernel in ("im2col", "col2im") for windows in _shapes]
tests += [
    special(case(kernel, Windows(2, 2, 9, 17, (3, 3), padding=(1, 1))), sprinkle)
    for kernel in ("im2col", "col2im")
]
benchmarks = [
    case(kernel, Windows(32, 32, 14, 14, (3, 3), padding=(1, 1))) for kernel in ("im2col", "col2im")
]
