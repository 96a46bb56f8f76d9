"""Cases of maxpool2d_forward and maxpool2d_backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import Arguments, Case, double, floats, special
from .window import Windows, gamma, sprinkle

tolerance = (
    "forward:  exact, and so are the places\n"
    "backward: |error| <= g (the backward pass of |dout|), g = kh kw u / (1 - kh kw u) and\n"
    "          u = 2^-24: a pixel is a sum over at most kh kw windows"
)

_OPTIONS = ("kernel", "stride", "padding")


def _images(rng: np.random.Generator, windows: Windows) -> NDArray:
    return np.round(2 * floats(rng, *windows.image))  # so that many pixels of a window are equal


def _arguments(rng: np.random.Generator, kernel: str, windows: Windows) -> Arguments:
    x, options = _images(rng, windows), windows.options(*_OPTIONS)
    if kernel == "maxpool2d_forward":
        return {"x": x, **options}
    out, places = reference.maxpool2d_forward(x, **options)
    return {"places": places, "dout": floats(rng, *out.shape), "shape": windows.image, **options}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    result = getattr(table, kernel)(**arguments)
    return result if isinstance(result, tuple) else (result,)


def _bound(kernel: str, windows: Windows, arguments: Arguments) -> tuple[NDArray, ...]:
    if kernel == "maxpool2d_forward":
        exact = np.zeros((windows.n, windows.c, *windows.output))
        return exact, exact
    sizes = {**arguments, "dout": np.abs(double(arguments["dout"]))}
    return (gamma(windows.cells) * reference.maxpool2d_backward(**sizes),)


def case(kernel: str, windows: Windows) -> Case:
    """x (n, c, h, w) -> out, places (n, c, oh, ow), or places, dout -> dx."""
    pixels, outputs = np.prod(windows.image), windows.n * windows.c * np.prod(windows.output)
    return Case(
        kernel,
        windows.sizes,
        partial(_arguments, kernel=kernel, windows=windows),
        partial(_run, kernel),
        partial(_bound, kernel, windows),
        flops=int(outputs) * (windows.cells if kernel == "maxpool2d_forward" else 1),
        bytes=int(4 * pixels + 5 * outputs),
    )


_shapes = [
    Windows(0, 2, 5, 5, (3, 3)),
    Windows(2, 0, 5, 5, (2, 2)),
    Windows(1, 1, 1, 1, (1, 1)),
    Windows(2, 3, 7, 5, (3, 2), padding=(1, 1)),
    *(Windows(2, 1, 3, w, (2, 2)) for w in (2, 4, 5, 8, 9, 10, 16, 17, 18, 34)),
    *(Windows(2, 1, 4, w, (2, 2), stride=(2, 2)) for w in (2, 8, 9, 14, 16, 17, 31, 32, 33, 66)),
    Windows(2, 3, 9, 11, (3, 3), stride=(2, 2), padding=(1, 1)),
    Windows(2, 3, 10, 37, (3, 3), stride=(3, 3), padding=(1, 1)),
    Windows(2, 2, 11, 13, (2, 1), stride=(4, 3), padding=(1, 0)),
    Windows(1, 2, 18, 19, (16, 16), padding=(8, 8)),
    Windows(3, 5, 61, 67, (2, 2), stride=(2, 2)),
]
_few = [
    Windows(2, 2, 8, 37, (2, 2), stride=(2, 2)),
    Windows(2, 2, 9, 37, (3, 3), stride=(1, 1), padding=(1, 1)),
]


def _special(arguments: Arguments) -> None:
    sprinkle(arguments)
    if "x" in arguments:
        arguments["x"][0, 0] = -np.inf  # and yet more than padding


_kernels = ("maxpool2d_forward", "maxpool2d_backward")
tests = [case(kernel, windows) for kernel in _kernels for windows in _shapes]
tests += [special(case(kernel, windows), _special) for kernel in _kernels for windows in _few]
benchmarks = [case(kernel, Windows(128, 32, 28, 28, (2, 2), stride=(2, 2))) for kernel in _kernels]
