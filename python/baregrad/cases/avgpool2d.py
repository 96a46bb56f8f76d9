"""Cases of avgpool2d_forward and avgpool2d_backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import Arguments, Case, double, floats, smallest, special
from .window import Windows, gamma, sprinkle

tolerance = (
    "|error| <= g (the result for absolute values) + kh kw 2^-149, g = kh kw u / (1 - kh kw u) and\n"
    "u = 2^-24: kh kw - 1 additions and one division, in either order"
)

_OPTIONS = ("kernel", "stride", "padding")


def _arguments(rng: np.random.Generator, kernel: str, windows: Windows) -> Arguments:
    options = windows.options(*_OPTIONS)
    if kernel == "avgpool2d_forward":
        return {"x": floats(rng, *windows.image), **options}
    dout = floats(rng, windows.n, windows.c, *windows.output)
    return {"dout": dout, "shape": windows.image, **options}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _bound(kernel: str, windows: Windows, arguments: Arguments) -> tuple[NDArray]:
    sizes = {
        name: np.abs(double(value)) if name in ("x", "dout") else value
        for name, value in arguments.items()
    }
    exact = getattr(reference, kernel)(**sizes)
    return (gamma(windows.cells) * exact + windows.cells * smallest,)


def case(kernel: str, windows: Windows) -> Case:
    """x (n, c, h, w) -> out (n, c, oh, ow), or dout -> dx."""
    pixels, outputs = np.prod(windows.image), windows.n * windows.c * np.prod(windows.output)
    return Case(
        kernel,
        windows.sizes,
        partial(_arguments, kernel=kernel, windows=windows),
        partial(_run, kernel),
        partial(_bound, kernel, windows),
        flops=int(outputs) * windows.cells,
        bytes=int(4 * (pixels + outputs)),
    )


_shapes = [
    Windows(0, 2, 5, 5, (3, 3)),
    Windows(2, 0, 5, 5, (2, 2)),
    Windows(2, 3, 0, 4, (2, 1), padding=(1, 0)),
    Windows(1, 1, 1, 1, (1, 1)),
    Windows(2, 3, 7, 5, (3, 2), padding=(1, 1)),
    *(Windows(2, 1, 3, w, (2, 2)) for w in (2, 4, 5, 8, 9, 10, 16, 17, 18, 34)),
    *(Windows(2, 1, 4, w, (2, 2), stride=(2, 2)) for w in (2, 8, 9, 14, 16, 17, 31, 32, 33, 66)),
    Windows(2, 3, 9, 11, (3, 3), stride=(2, 2), padding=(1, 1)),
    Windows(2, 3, 10, 37, (3, 3), stride=(3, 3), padding=(1, 1)),
    Windows(2, 2, 11, 13, (2, 1), stride=(4, 3), padding=(1, 0)),
    Windows(2, 3, 17, 17, (17, 17)),  # the mean of a whole image
    Windows(3, 5, 61, 67, (2, 2), stride=(2, 2)),
]
_kernels = ("avgpool2d_forward", "avgpool2d_backward")
tests = [case(kernel, windows) for kernel in _kernels for windows in _shapes]
tests += [
    special(case(kernel, Windows(2, 2, 9, 37, (3, 3), padding=(1, 1))), sprinkle)
    for kernel in _kernels
]
benchmarks = [case(kernel, Windows(128, 32, 28, 28, (2, 2), stride=(2, 2))) for kernel in _kernels]
