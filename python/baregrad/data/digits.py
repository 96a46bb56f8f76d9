"""The handwritten digits embedded in the package: 1,797 images of 8x8 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..typing import NDArray
from ..utils.data import TensorDataset


@dataclass(frozen=True)
class Digits:
    """Images float32 (n, 64) in [0, 1] and labels int64 (n,), for training and for testing."""

    train: TensorDataset
    test: TensorDataset


def digits(test_fraction: float = 0.2, seed: int = 0) -> Digits:
    """1,797 handwritten digits of 8x8 pixels, ten classes, split by `seed`.

    The split is stratified: from each class `test_fraction` of the images, at least one, are for
    testing. ValueError unless 0 < test_fraction < 1.

    Source: the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
    C. Kaynak, UCI Machine Learning Repository, CC BY 4.0, as scikit-learn
    carries it.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"[digits] test_fraction is {test_fraction}, expected 0 < fraction < 1")
    table = _read()
    images = (table[:, :64] / 16).astype(np.float32)
    labels = table[:, 64].astype(np.int64)
    test = _stratified(labels, test_fraction, np.random.Generator(np.random.Philox(seed)))
    return Digits(
        train=TensorDataset(images[~test], labels[~test]),
        test=TensorDataset(images[test], labels[test]),
    )


def _read() -> NDArray:
    """uint8 (1797, 65): pixels 0..16 row by row, then the label."""
    import gzip
    from importlib import resources  # 20 ms, so not at the start of the package

    packed = resources.files(__package__).joinpath("digits.csv.gz").read_bytes()
    return np.loadtxt(gzip.decompress(packed).decode().splitlines(), np.uint8, delimiter=",")


def _stratified(labels: NDArray, fraction: float, rng: np.random.Generator) -> NDArray:
    """labels (n,) -> mask (n,), True for `fraction` of each class: at least one, never all."""
    mask = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(fraction * len(members))
        mask[members[: min(max(count, 1), len(members) - 1)]] = True
    return mask
