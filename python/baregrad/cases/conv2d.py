"""Cases of conv2d_forward, conv2d_backward_input and conv2d_backward_weight."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import Arguments, Case, double, floats, special
from .window import Windows, gamma, sprinkle

tolerance = (
    "|error| <= g (|x| conv |w| + |bias|), elementwise, with g = (k + 1) u / (1 - (k + 1) u) and\n"
    "u = 2^-24: a sum of at most k products in any order, with or without fused multiply-add, and\n"
    "the bias (Higham, Accuracy and Stability, 3.5). k is c / groups kh kw forward, o / groups kh kw\n"
    "for the input, n oh ow for the weight"
)

_ARRAYS = ("x", "w", "bias", "dout")
_OPTIONS = ("stride", "padding", "dilation", "groups")


def _arguments(rng: np.random.Generator, kernel: str, windows: Windows) -> Arguments:
    weight = (windows.o, windows.c // windows.groups, *windows.kernel)
    options = windows.options(*_OPTIONS)
    if kernel == "conv2d_forward":
        x, w, bias = floats(rng, *windows.image), floats(rng, *weight), floats(rng, windows.o)
        return {"x": x, "w": w, "bias": bias, **options}
    dout = floats(rng, windows.n, windows.o, *windows.output)
    if kernel == "conv2d_backward_input":
        return {"dout": dout, "w": floats(rng, *weight), "shape": windows.image, **options}
    return {"x": floats(rng, *windows.image), "dout": dout, "kernel": windows.kernel, **options}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def terms(kernel: str, windows: Windows) -> int:
    """How many products one element of the result sums at most."""
    if kernel == "conv2d_forward":
        return windows.c // windows.groups * windows.cells
    if kernel == "conv2d_backward_input":
        return windows.o // windows.groups * windows.cells
    return windows.n * windows.output[0] * windows.output[1]


def _bound(kernel: str, windows: Windows, arguments: Arguments) -> tuple[NDArray]:
    """The error that any order of summation may make."""
    sizes = {
        name: np.abs(double(value)) if name in _ARRAYS else value
        for name, value in arguments.items()
    }
    return (gamma(terms(kernel, windows) + 1) * getattr(reference, kernel)(**sizes),)


def case(kernel: str, windows: Windows) -> Case:
    """One of the three products of a convolution."""
    oh, ow = windows.output
    outputs = windows.n * windows.o * oh * ow
    weights = windows.o * (windows.c // windows.groups) * windows.cells
    return Case(
        kernel,
        {"o": windows.o, **windows.sizes},
        partial(_arguments, kernel=kernel, windows=windows),
        partial(_run, kernel),
        partial(_bound, kernel, windows),
        flops=2 * outputs * (windows.c // windows.groups) * windows.cells,
        bytes=4 * (windows.n * windows.c * windows.h * windows.w + weights + outputs),
    )


_shapes = [
    Windows(0, 2, 5, 5, (3, 3), o=3),
    Windows(2, 0, 5, 5, (3, 3), o=3),
    Windows(2, 3, 5, 5, (3, 3), o=0),
    Windows(2, 3, 0, 4, (2, 1), o=2, padding=(1, 0)),
    Windows(1, 1, 1, 1, (1, 1)),
    Windows(1, 1, 1, 1, (3, 3), padding=(1, 1)),
    Windows(2, 3, 7, 5, (3, 2), o=4, padding=(1, 1)),
    Windows(3, 2, 6, 9, (1, 1), o=3),
    Windows(2, 2, 5, 5, (5, 5), o=3),
    Windows(1, 2, 4, 4, (3, 3), o=2, padding=(5, 4)),  # windows of padding alone
    # A tile of 4 to 14 filters, of 8 to 32 pixels: one less, all, one more.
    *(Windows(2, 2, 4, 5, (2, 2), o=o, padding=(1, 0)) for o in (5, 6, 7, 13, 14, 15, 31, 33)),
    *(Windows(3, 1, 1, w, (1, 3), o=2, padding=(0, 1)) for w in (7, 8, 9, 15, 16, 17, 31, 33)),
    *(Windows(1, c, 3, 3, (3, 3), o=3, padding=(1, 1)) for c in (13, 14, 15)),
    # Strides: each phase, pixels that no window sees, windows further apart than they are wide.
    Windows(2, 3, 8, 8, (3, 3), o=4, stride=(2, 2), padding=(1, 1)),
    Windows(2, 3, 9, 10, (3, 3), o=4, stride=(2, 3)),
    Windows(2, 2, 11, 13, (2, 1), o=3, stride=(4, 3), padding=(1, 0)),
    Windows(2, 2, 9, 9, (7, 7), o=3, stride=(2, 2), padding=(3, 3)),
    # Dilation: with a divisor of the stride, with none.
    Windows(2, 2, 9, 11, (3, 3), o=3, padding=(2, 2), dilation=(2, 2)),
    Windows(2, 2, 12, 12, (3, 2), o=3, stride=(2, 3), padding=(2, 1), dilation=(2, 2)),
    Windows(1, 2, 13, 13, (3, 3), o=3, stride=(4, 6), padding=(3, 4), dilation=(6, 4)),
    Windows(2, 4, 6, 6, (3, 3), o=6, padding=(1, 1), groups=2),
    Windows(2, 5, 6, 6, (3, 3), o=5, stride=(2, 2), padding=(1, 1), groups=5),
    # Blocks of k: 512 cells and more.
    Windows(1, 59, 4, 4, (3, 3), o=3, padding=(1, 1)),
    Windows(2, 3, 3, 4, (3, 3), o=131, padding=(1, 1)),
    # So many pixels that threads pack for themselves; so few weights that the batch is cut.
    Windows(3, 2, 31, 29, (3, 3), o=3, padding=(1, 1)),
    Windows(5, 4, 47, 47, (3, 3), o=14, padding=(1, 1)),
    Windows(3, 6, 17, 16, (1, 1), o=10, groups=2),  # pixels themselves, many slivers an image
    # So many images that they lie in the lanes of vectors: one vector of them or several, full or not.
    Windows(16, 8, 7, 9, (3, 3), o=15, padding=(1, 1)),
    Windows(32, 8, 7, 7, (3, 3), o=8, padding=(1, 1)),
    Windows(13, 9, 6, 5, (3, 2), o=14, padding=(1, 1)),
    Windows(45, 16, 1, 66, (1, 5), o=13, padding=(0, 1)),
    Windows(36, 9, 5, 6, (3, 3), o=11, padding=(1, 1)),
    Windows(16, 145, 4, 5, (3, 3), o=66, padding=(1, 1)),  # planes in two parts
    Windows(12, 65, 5, 40, (1, 1), o=64),  # of 1 x 1, pixels for more than a strip
    Windows(16, 8, 3, 3, (3, 3), o=8, padding=(4, 4)),  # windows of padding alone
    Windows(32, 8, 8, 9, (3, 3), o=9, stride=(2, 2), padding=(1, 1)),
    Windows(16, 11, 9, 10, (3, 3), o=10, stride=(2, 3), padding=(2, 1), dilation=(3, 2)),
    Windows(16, 4, 9, 12, (7, 7), o=6, stride=(2, 2), padding=(3, 3), groups=2),
    # Of those, filters whose gradient has many tiles: rows in several pieces, windows of two rows.
    Windows(36, 17, 5, 40, (3, 3), o=33, padding=(1, 1)),
    Windows(16, 24, 9, 6, (2, 3), o=40, stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    Windows(13, 36, 4, 5, (3, 3), o=70, padding=(1, 1), groups=2),
    Windows(32, 17, 8, 8, (3, 3), o=33, padding=(1, 1)),  # planes of stacks that are whole pages
    # Batches whose channels are few: rows of dout and windows as they lie, or cells filling a tile.
    Windows(9, 1, 13, 17, (3, 3), o=17, padding=(1, 1)),
    Windows(8, 4, 12, 13, (3, 2), o=34, padding=(1, 1), groups=2),
    Windows(10, 4, 14, 11, (3, 3), o=16, padding=(1, 0)),
    Windows(10, 1, 17, 19, (3, 3), o=16, padding=(3, 1), dilation=(2, 3)),
    Windows(8, 3, 25, 27, (3, 3), o=9, stride=(2, 2), padding=(1, 1)),
    Windows(35, 2, 14, 41, (2, 3), o=7, stride=(1, 3), padding=(1, 0)),
    Windows(8, 1, 56, 52, (5, 5), o=16, padding=(2, 2)),  # products of some rows of dout at a time
    Windows(8, 1, 3, 41, (1, 5), o=16, dilation=(1, 10)),  # cells beyond the rows of dout
    Windows(8, 1, 2, 3, (2, 2), o=16, padding=(4, 5)),  # windows of padding alone
    # And those of one cell: some pixels at a time, and so many filters that sums fill a cache.
    Windows(9, 6, 37, 33, (1, 1), o=7),
    Windows(8, 65, 23, 25, (1, 1), o=66),
    # Images that keep their size, as they lie: rows that end anywhere in a vector, several in one, whole
    # tiles or not, filters in several blocks, planes in several, groups, and windows as high as images.
    Windows(1, 8, 12, 13, (3, 3), o=15, padding=(1, 1)),
    Windows(2, 9, 24, 24, (3, 3), o=29, padding=(1, 1)),
    Windows(17, 8, 16, 33, (3, 3), o=9, padding=(1, 1)),
    Windows(3, 12, 9, 31, (1, 7), o=13, padding=(0, 6), dilation=(1, 2)),
    Windows(2, 7, 129, 1, (5, 1), o=8, padding=(2, 0), groups=1),
    Windows(2, 26, 3, 50, (5, 3), o=30, padding=(2, 1), groups=2),
    Windows(1, 150, 11, 13, (3, 3), o=144, padding=(1, 1)),
    Windows(5, 10, 30, 70, (3, 3), o=30, padding=(2, 2), dilation=(2, 2)),
    Windows(23, 1, 50, 60, (7, 9), o=1, padding=(3, 4)),  # more edges than are looked for at a time
    # Windows that take steps over images, which are split: into parts of several lengths, in one
    # direction, with parts that no cell sees, groups, windows of one cell, and in several turns.
    Windows(2, 5, 46, 47, (3, 3), o=15, stride=(2, 2), padding=(1, 1)),
    Windows(1, 3, 61, 150, (5, 7), o=9, stride=(2, 3), padding=(2, 3)),
    Windows(2, 4, 20, 64, (3, 3), o=5, stride=(1, 2), padding=(1, 1)),
    Windows(2, 3, 48, 50, (3, 3), o=6, stride=(2, 2), padding=(2, 2), dilation=(2, 2)),
    Windows(2, 6, 46, 46, (3, 3), o=8, stride=(2, 2), padding=(1, 1), groups=2),
    Windows(8, 5, 46, 46, (1, 1), o=9, stride=(2, 2)),
    Windows(8, 3, 45, 45, (1, 1), o=4, stride=(2, 2), padding=(1, 1)),
    Windows(58, 16, 48, 48, (3, 3), o=3, stride=(2, 2), padding=(1, 1)),
    # So many outputs, pixels and weights that a device has larger tiles for them.
    Windows(9, 2, 63, 64, (1, 1), o=70),
    Windows(9, 70, 63, 64, (1, 1), o=2),
    Windows(1, 1500, 1, 1, (1, 1), o=1490),
]
_kernels = ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight")
tests = [case(kernel, windows) for kernel in _kernels for windows in _shapes]
tests += [
    special(
        case(kernel, Windows(n, c, 9, 17, (3, 3), o=o, stride=stride, padding=(1, 1))), sprinkle
    )
    for kernel in _kernels
    for n, c, o, stride in (
        (2, 2, 3, (2, 2)),
        (16, 8, 9, (2, 2)),
        (9, 1, 16, (1, 1)),
        (2, 8, 9, (1, 1)),
    )
]
benchmarks = [
    case(kernel, windows)
    for windows in (
        Windows(128, 1, 28, 28, (3, 3), o=32, padding=(1, 1)),
        Windows(128, 32, 14, 14, (3, 3), o=64, padding=(1, 1)),
        Windows(16, 64, 28, 28, (3, 3), o=128, stride=(2, 2), padding=(1, 1)),
    )
    for kernel in _kernels
]
