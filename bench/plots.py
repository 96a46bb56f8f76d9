"""Plots of saved results, as SVG beside them: roofline, and time against size. Needs matplotlib."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from report import Figures, figures, middle


def plot(path: Path) -> Path:
    """A roofline of a result of all works; rates against sizes of one with --sizes."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    result = json.loads(path.read_text())
    works = [(work["work"], race, figures(race)) for work in result["works"]
             for race in [middle(work["races"])]]  # fmt: skip
    chart, axes = plt.subplots(figsize=(8, 5))
    (_sizes if path.name.startswith("sizes") else _roofline)(axes, works)
    axes.set(ylabel="GFLOP/s", title=f"{result['machine']['cpu']}, {result['date']}")
    axes.grid(alpha=0.3)
    axes.legend()
    drawn = path.with_suffix(".svg")
    chart.savefig(drawn, bbox_inches="tight")
    plt.close(chart)
    return drawn


Works = list[tuple[str, dict[str, Any], Figures]]


def _rates(works: Works, name: str | None) -> list[float]:
    """GFLOP/s of a contestant, or of the best yardstick; NaN where it did not take part."""
    nan = float("nan")
    return [race["flops"] / found.seconds.get(name or found.best or "", nan) / 1e9
            for _, race, found in works]  # fmt: skip


def _sizes(axes: Any, works: Works) -> None:
    sizes = [int(name.split()[1]) for name, _, _ in works]
    for name, label in (("kernel", "baregrad"), (None, "best yardstick")):
        axes.plot(sizes, _rates(works, name), marker=".", label=label)
    peak = max(rate for _, race, _ in works for rate, _ in race["ceilings"])
    axes.axhline(peak, color="grey", linestyle="--", label="multiply-add peak")
    axes.set(xlabel="m = n = k", ylim=(0, None))


def _roofline(axes: Any, works: Works) -> None:
    intensity = [race["flops"] / race["bytes"] for _, race, _ in works]
    for name, marker in (("kernel", "o"), ("Tensor", "."), (None, "x")):
        axes.loglog(intensity, _rates(works, name), marker, label=name or "best yardstick")
    peak = max(rate for _, race, _ in works for rate, _ in race["ceilings"])
    copy = min(max(rate for _, rate in race["ceilings"]) for _, race, _ in works)  # from memory
    ends = [min(intensity), peak / copy, max(*intensity, peak / copy)]
    axes.plot(ends, [min(peak, x * copy) for x in ends], color="grey", label="ceiling")
    axes.set(xlabel="flops for each byte that has to move")
