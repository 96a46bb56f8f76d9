"""What a training leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike

from .. import curves
from ..ops.arguments import instance
from .evaluate import Metrics


@dataclass
class History:
    """One number per epoch in each list; those of validation are empty where there was none."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    valid_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of training, without validation

    def append(self, train: Metrics, valid: Metrics | None, seconds: float) -> None:
        """Add an epoch."""
        for name, metrics in (("train", train), ("valid", train if valid is None else valid)):
            instance("append", name, metrics, Metrics, "Metrics")
        self.train_loss.append(train.loss)
        self.train_accuracy.append(train.accuracy)
        if valid is not None:
            self.valid_loss.append(valid.loss)
            self.valid_accuracy.append(valid.accuracy)
        self.seconds.append(seconds)

    def plot(self, path: str | PathLike[str]) -> None:
        """Write the learning curves, loss and accuracy side by side, as a picture (PNG).

        ImportError, with what to install, where matplotlib is missing.
        """
        curves.picture(vars(self), path)

    def text_plot(self, width: int = 60, height: int = 12) -> str:
        """The loss over the epochs in characters, on a logarithmic scale: * training, o validation.

        At most `width` columns of `height` rows, and a frame with the scale.
        """
        return curves.text(vars(self), width, height)
