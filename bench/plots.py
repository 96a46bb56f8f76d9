"""Plots of the newest saved results, for the README here: a roofline, and rates against sizes.

Needs matplotlib.
"""

from __future__ import annotations

from typing import Any

from report import HERE, Figures, figures, latest, middle


def plot() -> None:
    """roofline.svg of the newest race, and sizes.svg of the newest one with --sizes."""
    for name, draw in (("race", _roofline), ("sizes", _sizes)):
        if result := latest(name):
            _chart(result, draw, "roofline" if name == "race" else name)


def _chart(result: dict[str, Any], draw: Any, name: str) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = ""  # else names of its parts are drawn by lot
    works = [(work["work"], race, figures(race)) for work in result["works"]
             for race in [middle(work["races"])]]  # fmt: skip
    chart, axes = plt.subplots(figsize=(8, 5))
    draw(axes, works)
    axes.set(ylabel="GFLOP/s", title=f"{result['machine']['cpu']}, {result['date']}")
    axes.grid(alpha=0.3)
    axes.legend()
    chart.savefig(HERE / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(chart)


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
