"""Whether a kernel is within the bound of a case."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import Arguments, Case, CaseError


class BoundError(CaseError):
    """A result is further from the exact one than its case allows: output `output`, at `outside`."""

    def __init__(self, sentence: str, got: NDArray, exact: NDArray, outside: NDArray) -> None:
        super().__init__(sentence)
        self.output, self.got, self.exact, self.outside = 0, got, exact, outside


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def exact_result(case: Case, arguments: Arguments) -> tuple[NDArray, ...]:
    """What the definition gives in float64, for the very float32 inputs."""

    def double(value: Any) -> Any:
        if isinstance(value, list):
            return [double(item) for item in value]
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            return value.astype(np.float64)
        return copy.copy(value)

    return case.run(reference, {name: double(value) for name, value in arguments.items()})


@np.errstate(all="ignore")
def check(case: Case, table: Any, arguments: Arguments, exact: tuple[NDArray, ...]) -> float:
    """Run a case, which may change its arguments: the largest share that an error has of its bound.

    BoundError if one is larger, CaseError if it accepts what is to be refused.
    """
    bounds = case.bound(arguments)
    got = case.run(table, arguments)
    largest = 0.0
    for i, output in enumerate(zip(got, exact, bounds, strict=True)):
        try:
            largest = max(largest, share_of_bound(*output))
        except BoundError as error:
            error.output = i
            raise
    return largest


@np.errstate(all="ignore")
def share_of_bound(got: NDArray, exact: NDArray, bound: NDArray) -> float:
    """The largest |got - exact| / bound of a float32 result; others have to be equal: 0.

    BoundError if an error is above its bound. NaN and infinity, also where exact rounds to it, have
    to be the same.
    """
    if got.shape != exact.shape or got.dtype not in (np.dtype(np.float32), exact.dtype):
        sentence = f"{got.dtype} {got.shape}, expected {exact.dtype} {exact.shape}"
        raise BoundError(sentence, got, exact, np.ones(got.shape, bool))
    got, exact = np.atleast_1d(got, exact)
    if exact.dtype.kind in "iub":
        error, bound = (got != exact).astype(np.float64), np.zeros(got.shape)
    else:
        rounded = exact.astype(got.dtype)
        finite = np.isfinite(rounded)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        error = np.where(finite, np.abs(got.astype(np.float64) - exact), np.where(same, 0, np.inf))
        bound = np.where(finite, bound, 0.0)
    outside = ~(error <= bound) | ~np.isfinite(bound)  # NaN is outside, and a bound is a number
    if outside.any():
        where = tuple(int(axis[0]) for axis in np.nonzero(outside))
        raise BoundError(
            f"{outside.sum()} of {got.size} outside their bound, the first at {where}: got "
            f"{got[where]}, exact {exact[where]}, off by {error[where]:.3g}, "
            f"allowed {bound[where]:.3g}",
            got, exact, outside,
        )  # fmt: skip
    return float(np.max(error[bound > 0] / bound[bound > 0], initial=0.0))
