"""The handwritten digits embedded in the package: 1,797 images of 8x8 pixels."""

from __future__ import annotations

import numpy as np

from ..ops.arguments import number
from ..random import seeded
from ..typing import NDArray
from .splits import Splits


def digits(test_fraction: float = 0.2, valid_fraction: float = 0.1, seed: int = 0) -> Splits:
    """1,797 handwritten digits of 8x8 pixels, (n, 64) in [0, 1], ten classes, split by `seed`.

    The split is stratified: of each class `test_fraction` and `valid_fraction`, rounded, are held
    back and the rest is for training. ValueError unless both are above 0 and leave some.

    Source: the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
    C. Kaynak, UCI Machine Learning Repository, CC BY 4.0, as scikit-learn carries it.
    """
    for name, fraction in (("test_fraction", test_fraction), ("valid_fraction", valid_fraction)):
        if not 0 < number("digits", name, fraction) < 1:
            raise ValueError(f"[digits] {name} is {fraction}, expected 0 < fraction < 1")
    if test_fraction + valid_fraction >= 1:
        raise ValueError(
            f"[digits] test_fraction + valid_fraction is {test_fraction + valid_fraction:g}, "
            "expected less than 1: the rest is for training"
        )
    table = _read()
    images = (table[:, :64] / 16).astype(np.float32)
    labels = table[:, 64].astype(np.int64)
    parts: list[list[NDArray]] = [[], [], []]
    rng = seeded("digits", seed)
    for label in range(10):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(np.cumsum([test_fraction, valid_fraction]) * len(members)).astype(int)
        for part, some in zip(parts, np.split(members, cuts), strict=True):
            part.append(some)
    test, valid, train = (np.sort(np.concatenate(part)) for part in parts)
    arrays = [(images[part], labels[part]) for part in (train, valid, test)]
    return Splits.of(arrays, "0123456789", {"image": (1, 8, 8), "ink": 8})


def _read() -> NDArray:
    """uint8 (1797, 65): pixels 0..16 row by row, then the label."""
    import gzip
    from importlib import resources  # 20 ms, so not at the start of the package

    packed = resources.files(__package__).joinpath("digits.csv.gz").read_bytes()
    return np.loadtxt(gzip.decompress(packed).decode().splitlines(), np.uint8, delimiter=",")
