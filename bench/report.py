"""Results of races: as rows of a table, as files in `results`, as plots."""

from __future__ import annotations

import datetime
import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baregrad import _cpu
from baregrad.racing import Ratio, ratio
from peak import machine

if TYPE_CHECKING:
    from race import Race

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- bench/race.py: begin -->", "<!-- bench/race.py: end -->"
RACED = ("csrc", "python", "bench/*.py", "bench/contestants", ":!csrc/ladder/README.md")
COMPARED = ("kernel", "Tensor")  # the first that does all of a work
OURS = (*COMPARED, "Winograd")
ABSENT = "does no "  # begins why somebody does not take part, which is no refusal
BALANCE = 8.0  # flops for each byte, from which a work is said in GFLOP/s
AGAIN = " again"  # ends the name of the yardstick that races against itself
COLUMNS = {
    "work": 36, "kernel": 12, "Tensor": 12, "Winograd": 19, "yardstick": 12, "the best setting": 32, "ratio": 22,
    "as installed": 12, "control": 22, "of the ceiling": 14, "": 7,
}  # fmt: skip


def row(race: Race, least_seconds: float) -> dict[str, Any]:
    """A race as it is kept."""
    return {
        "flops": race.work.flops,
        "bytes": race.work.bytes,
        "least_seconds": least_seconds,
        "ceilings": race.ceilings,
        "out": race.out,
        "above": race.above,
        "resting": race.resting,
        "contestants": {
            name: {
                "file": contestant.setting.file,
                "environment": contestant.setting.environment,
                "about": contestant.about,
                "rounds": [{"times": t.times, "elapsed": t.elapsed} for t in race.timings[name]],
            }
            for name, contestant in race.field.items()
            if name in race.timings
        },
    }


@dataclass(frozen=True)
class Figures:
    """What a table says of a race; seconds are medians over rounds of the median call."""

    seconds: dict[str, float]
    best: str | None  # the fastest setting of a yardstick
    ratio: Ratio | None  # of our kernel to it, or of our Tensor where no kernel does all of it
    installed: Ratio | None  # to the same yardstick as installed
    control: Ratio | None
    winograd: Ratio | None  # of the other algorithm to it
    share: float  # of the ceiling, of ours

    @property
    def verdict(self) -> str:
        return self.ratio.beside(self.control) if self.ratio and self.control else ""


def figures(race: dict[str, Any]) -> Figures:
    rounds = {
        name: [statistics.median(r["times"]) / 1e9 for r in contestant["rounds"]]
        for name, contestant in race["contestants"].items()
    }
    seconds = {name: statistics.median(times) for name, times in rounds.items()}
    file = {name: contestant["file"] for name, contestant in race["contestants"].items()}
    fair = [n for n in seconds if n not in race["out"]]
    theirs = [n for n in fair if n not in OURS and not n.endswith(AGAIN)]
    ours = next((n for n in COMPARED if n in fair), None)
    best = min(theirs, key=seconds.__getitem__, default=None)
    plain = [n for n in theirs if not race["contestants"][n]["environment"]]
    installed = next((n for n in plain if best and file[n] == file[best]), None)
    control = next((n for n in fair if n.endswith(AGAIN) and n.removesuffix(AGAIN) in fair), None)

    def to(name: str | None, own: str | None = ours) -> Ratio | None:
        return ratio(rounds[own], rounds[name]) if own and name else None

    return Figures(
        seconds,
        best,
        to(best),
        to(installed),
        to(control and control.removesuffix(AGAIN), control),
        to(best, "Winograd" if "Winograd" in fair else None),
        race["least_seconds"] / seconds[ours] if ours else 0.0,
    )


def lost(race: dict[str, Any]) -> bool:
    return figures(race).verdict == "slower"


def middle(races: list[dict[str, Any]]) -> dict[str, Any]:
    """The race with the median ratio."""

    def value(race: dict[str, Any]) -> float:
        found = figures(race).ratio
        return found.value if found else 0.0

    return sorted(races, key=value)[len(races) // 2]


def cells(work: dict[str, Any]) -> list[str]:
    """A row of the table."""
    race = middle(work["races"])
    found = figures(race)
    computes = race["flops"] / race["bytes"] > BALANCE

    def of(name: str | None) -> str:
        if name in race["out"]:
            return "" if race["out"][name].startswith(ABSENT) else "refused"
        if name not in found.seconds:
            return ""
        s = found.seconds[name]
        if computes:
            return f"{race['flops'] / s / 1e9:.0f} GFLOP/s"
        return f"{s * 1e3:.2f} ms" if s >= 1e-3 else f"{s * 1e6:.1f} us"

    times = len(work["races"])
    return [
        work["work"], of("kernel"), of("Tensor"),
        f"{of('Winograd')}{f', {found.winograd.value:.2f}x' if found.winograd else ''}", of(found.best), found.best or "",
        str(found.ratio or ""), f"{found.installed.value:.2f}x" if found.installed else "",
        str(found.control or ""), f"{found.share:.0%}",
        found.verdict + f" ({times} races)" * (times > 1),
    ]  # fmt: skip


def lines(rows: list[list[str]]) -> str:
    padded = [
        " | ".join(f"{cell:<{w}}" for cell, w in zip(row, COLUMNS.values(), strict=True))
        for row in rows
    ]
    return "\n".join(f"| {row} |" for row in padded)


def head() -> str:
    return lines([list(COLUMNS), ["-" * w for w in COLUMNS.values()]])


def show(work: dict[str, Any]) -> None:
    """Print a row, and why who is out is out."""
    print(lines([cells(work)]), flush=True)
    race = middle(work["races"])
    for name, why in (race["out"] | race["above"]).items():
        if not why.startswith(ABSENT):
            print(f"  {name}: {why}", flush=True)


def begin() -> dict[str, Any]:
    """A result without works: when, where, of what; printed above the table."""
    result = {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": {**machine(), "isa": _cpu.in_use(), "load": os.getloadavg()[0]},
        "works": [],
    }
    print(f"{title(result)}\n\n{head()}")
    return result


def commit() -> str:
    """Of what is raced; the results of another benchmark do not make it "dirty"."""
    git = ["git", "-C", str(HERE.parent)]
    head = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    same = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *RACED], check=False)
    return head.stdout.strip() + "-dirty" * (same.returncode == 1)


def title(result: dict[str, Any]) -> str:
    where = result["machine"]
    busy = f" The machine was not idle: its load was {where['load']:.1f}." * (where["load"] > 0.5)
    return (
        f"float32, {where['threads']} threads of {where['cpu']}, {where['isa']}, {result['date']}, "
        f"commit {result['commit']}.{busy}"
    )


def text(result: dict[str, Any] | None) -> str:
    """What stands in the README."""
    if result is None:
        return "Nothing has been measured yet."
    table = lines([cells(work) for work in result["works"]])
    versions = {
        contestant["file"].removesuffix(".py"): contestant["about"]["version"]
        for work in result["works"]
        for race in work["races"]
        for contestant in race["contestants"].values()
    }
    raced = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{title(result)} {raced}.\n\n{head()}\n{table}"


def latest(name: str = "race") -> dict[str, Any] | None:
    newest = max(HERE.glob(f"results/{name}-*.json"), default=None)
    return json.loads(newest.read_text()) if newest else None


def save(result: dict[str, Any], name: str) -> None:
    """Keep it, every sample of it; a race is the table of the README from then on.

    With what other races of this day on the same commit had beside it.
    """
    path = HERE / "results" / f"{name}-{result['date']}.json"
    before = json.loads(path.read_text()) if path.exists() else result
    if before["commit"] == result["commit"]:
        works = {work["work"]: work for work in (*before["works"], *result["works"])}
        result = result | {"works": [*works.values()]}
    path.write_text(
        json.dumps(result, separators=(",", ":")).replace('{"file"', '\n{"file"') + "\n"
    )
    if name == "race":
        before, rest = README.read_text().split(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{text(result)}\n{END}{rest.split(END)[1]}")


def refused_ours(result: dict[str, Any]) -> bool:
    """Whether one of ours was wrong or lied in any race."""
    out = (race["out"] for work in result["works"] for race in work["races"])
    return any(not why.startswith(ABSENT) for found in out for n, why in found.items() if n in OURS)
