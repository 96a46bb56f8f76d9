"""What a training shows while it runs."""

from __future__ import annotations

import math
import sys
from typing import Any

from .evaluate import Metrics
from .history import History

_LINES = 10  # about so many lines where there is no terminal to draw a bar on


class Progress:
    """Loss and accuracy on stderr: a bar on a terminal, elsewhere a line every few epochs."""

    def __init__(self, epochs: int, loader: Any, show: bool, done: int = 0) -> None:
        from tqdm import tqdm  # 30 ms, so not at the start of the package

        terminal = sys.stderr.isatty()
        batches = len(loader) if hasattr(loader, "__len__") else 0
        self.epochs, self.print_lines = epochs, show and not terminal
        self.bar = tqdm(
            total=batches * epochs or None,
            initial=batches * done,
            unit="batch",
            file=sys.stderr,
            dynamic_ncols=True,
            disable=not (show and terminal),
        )
        self.validation = ""

    def batch(self, epoch: int, metrics: Metrics) -> None:
        """One more batch is done; the metrics are those of the epoch so far."""
        if not self.bar.disable:
            self.bar.set_description_str(f"epoch {epoch}/{self.epochs}", refresh=False)
            text = _text(metrics.loss, metrics.accuracy)
            self.bar.set_postfix_str(f"{text}{self.validation}", refresh=False)
            self.bar.update()

    def epoch(self, history: History) -> None:
        """One more epoch is done, the last of `history`."""
        done = len(history.train_loss)
        if history.valid_loss:
            self.validation = f", valid {_text(history.valid_loss[-1], history.valid_accuracy[-1])}"
        if self.print_lines and (done % max(1, self.epochs // _LINES) == 0 or done == self.epochs):
            metrics = _text(history.train_loss[-1], history.train_accuracy[-1])
            print(f"epoch {done}/{self.epochs}: {metrics}{self.validation}", file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it stands and end its line."""
        self.bar.close()


def _text(loss: float, accuracy: float) -> str:
    return f"loss {loss:.4f}" + ("" if math.isnan(accuracy) else f" accuracy {accuracy:.1%}")
