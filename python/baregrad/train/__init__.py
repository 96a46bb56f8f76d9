"""Training loops with nothing hidden: `fit`, `evaluate`, and the `History` of a training."""

from .evaluate import Metrics, evaluate
from .fit import fit
from .history import History

__all__ = ["History", "Metrics", "evaluate", "fit"]
