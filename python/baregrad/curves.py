"""The learning curves of a training, as a picture and in characters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .ops.arguments import integer
from .writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers: TypeAlias = Mapping[str, Sequence[float]]  # train_loss, valid_loss, ...: one per epoch
_TRAIN, _VALID = "#0072b2", "#d55e00"  # Okabe and Ito's blue and vermilion: told apart by everyone


def picture(numbers: Numbers, path: str | PathLike[str]) -> None:
    """Write loss and accuracy side by side as a PNG: `History.plot`."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator
    except ImportError as error:
        raise ImportError(
            "[plot] matplotlib is not installed, expected pip install matplotlib"
        ) from error
    figure = Figure(figsize=(9, 3.4), dpi=150, layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    positive = [
        [value if value > 0 else math.nan for value in curve]  # what a logarithm can show
        for curve in (numbers["train_loss"], numbers["valid_loss"])
    ]
    _draw(loss, "Loss", "", *positive)
    loss.set_yscale("log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.minorticks_off()
    percent = [
        [100 * a for a in curve] for curve in (numbers["train_accuracy"], numbers["valid_accuracy"])
    ]
    _draw(accuracy, "Accuracy (%)", " %", *percent)
    with replacing("plot", Path(path)) as file:
        figure.savefig(file, format="png")


def text(numbers: Numbers, width: int, height: int) -> str:
    """The loss in characters: `History.text_plot`."""
    if integer("text_plot", "width", width) < 1 or integer("text_plot", "height", height) < 2:
        raise ValueError(
            f"[text_plot] width and height are {width} and {height}, expected at least 1 and 2"
        )
    curves = {"*": numbers["train_loss"], "o": numbers["valid_loss"]}
    logs = {mark: [_log10(loss) for loss in curve] for mark, curve in curves.items()}
    finite = [y for curve in logs.values() for y in curve if math.isfinite(y)]
    if not finite:
        return "(no finite loss to draw)"
    low, high = min(finite), max(finite)
    epochs = len(numbers["train_loss"])
    columns = min(width, epochs)
    rows = [[" "] * columns for _ in range(height)]
    for mark, curve in logs.items():
        for x in range(columns if curve else 0):
            y = curve[round(x * (epochs - 1) / max(columns - 1, 1))]
            if math.isfinite(y):
                share = (high - y) / (high - low) if high > low else 0.0
                rows[round(share * (height - 1))][x] = mark
    scale = {0: f"{10**high:.3g}", height - 1: f"{10**low:.3g}"}
    lines = [f"{scale.get(r, ''):>9} |{''.join(row)}".rstrip() for r, row in enumerate(rows)]
    axis = f"{'':9} +{'-' * columns}"
    return "\n".join(
        ["loss: * training, o validation", *lines, axis, f"{'':11}epoch 1 to {epochs}"]
    )


def _log10(loss: float) -> float:
    return math.log10(loss) if loss > 0 and math.isfinite(loss) else math.nan


def _draw(
    axes: Axes, title: str, unit: str, train: Sequence[float], valid: Sequence[float]
) -> None:
    """Both curves, each named at its end in its colour, the upper one above it."""
    from matplotlib.ticker import MaxNLocator

    curves: list[tuple[str, str, Sequence[float]]] = [("training", _TRAIN, train)]
    if valid:
        curves.append(("validation", _VALID, valid))
    upper = max(curves, key=lambda curve: curve[2][-1] if curve[2] else 0.0)
    for name, colour, values in curves:
        epochs = range(1, len(values) + 1)
        style: dict[str, Any] = {"marker": "o", "markersize": 3} if len(values) < 40 else {}
        axes.plot(epochs, values, color=colour, linewidth=1.6, **style)
        if values:
            axes.annotate(
                f"{name} {values[-1]:.3g}{unit}",
                (len(values), values[-1]),
                xytext=(8, 0),
                textcoords="offset points",
                color=colour,
                va="bottom" if name == upper[0] else "top",
                annotation_clip=False,
            )
    axes.margins(x=0.02)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
