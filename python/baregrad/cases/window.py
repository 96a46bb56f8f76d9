"""What the cases of ops have in common whose windows slide over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .case import Arguments, unit_roundoff


@dataclass(frozen=True)
class Windows:
    """Images (n, c, h, w), o filters, and windows that slide over them."""

    n: int
    c: int
    h: int
    w: int
    kernel: tuple[int, int]
    o: int = 1
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def image(self) -> tuple[int, int, int, int]:
        """n, c, h, w."""
        return self.n, self.c, self.h, self.w

    @property
    def output(self) -> tuple[int, int]:
        """oh, ow."""
        oh, ow = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                (self.h, self.w),
                self.kernel,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        )
        return oh, ow

    @property
    def cells(self) -> int:
        """The pixels of a window, of one channel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def sizes(self) -> dict[str, int]:
        """What names a case: options only where they are not the default."""
        sizes = {name: getattr(self, name) for name in ("n", "c", "h", "w")}
        sizes |= {"kh": self.kernel[0], "kw": self.kernel[1]}
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
            for axis, value in zip("hw", getattr(self, name), strict=True):
                if value != default:
                    sizes[f"{name[0]}{axis}"] = value
        return sizes | ({"groups": self.groups} if self.groups != 1 else {})

    def options(self, *names: str) -> dict[str, Any]:
        """These of its fields, as arguments of a kernel."""
        return {name: getattr(self, name) for name in names}


def sprinkle(arguments: Arguments) -> None:
    """Some pixels of images, or gradients of windows, become NaN or infinite, and a weight."""
    for name in ("x", "dout", "columns"):
        if name in arguments:
            for value, step in ((np.inf, 41), (-np.inf, 59), (np.nan, 97)):
                arguments[name].flat[step // 2 :: step] = value
    if "w" in arguments:
        arguments["w"].flat[-1] = np.inf


def gamma(terms: int) -> float:
    """The relative error of this many roundings in a row (Higham, Accuracy and Stability, 3.1)."""
    return terms * unit_roundoff / (1 - terms * unit_roundoff)
