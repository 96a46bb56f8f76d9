"""What bench/gpu.sh found on a GPU, as a file in results and as gpu.md: python bench/gpu_report.py.

Nothing here needs the package until there is a race to tell of: a build that failed is a result too.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import re
import statistics
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE, RESULTS = HERE / "gpu.md", HERE / "results"
SOURCES = HERE.parent / "cuda"
ON_HOSTS = ("simt", "ladder")  # folders of it that no device runs
PARTS = ("build", "models", "races", "sanitizer", "suite")
STATES = {0: "passed", 77: "not possible here", 124: "out of time", 137: "out of time"}
# Of an H200, per second: 132 multiprocessors times 128 multiply-adds at 1.98 GHz, and its datasheet.
PEAKS = {"float32": 66.9e12, "tf32": 494.7e12, "bf16": 989.4e12}
CALLS = 0.8  # of the time, from which a call takes as long to return
NEVER = "Not yet run on a GPU."
ABOUT = """\
A copy moves {copy:.2f} TB/s, read and written. The other ceilings are an H200's by its clock and \
datasheet, not measured: {peaks}. A ratio is of medians, with the least and the largest of a round. A \
star says that Python takes as long to make a call."""
HEAD = """\
| work | ours | PyTorch | ratio | of the ceiling | aim | reached | |
|---|---|---|---|---|---|---|---|"""


def sources_hash(folder: Path) -> str:
    """Of the names and contents of all that nvcc and the host compiler make `_cuda` of there."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix in (".cu", ".cuh", ".h", ".cpp") and name.parts[0] not in ON_HOSTS:
            found.update(f"{name.as_posix()}\n{path.stat().st_size}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def part(folder: Path, name: str) -> dict[str, Any]:
    """How a part ended: NAME.status has its exit code and seconds, NAME.log what it said."""
    status = folder / f"{name}.status"
    if not status.exists():
        return {"state": "not run", "seconds": 0, "said": ""}
    code, seconds = map(int, status.read_text().split())
    log = (folder / f"{name}.log").read_text(errors="replace").replace(f"{HERE.parent}/", "")
    lines = [line.strip("= ") for line in log.splitlines() if line.strip("= ")]
    state = STATES.get(code, "failed")
    if name == "sanitizer" and "not supported" in log:  # and so nothing ran
        state = STATES[77]
    last = lines[-1] if lines else ""
    if name == "models" and last.startswith("{"):
        return {"state": state, "seconds": seconds, "said": "", "figures": json.loads(last)}
    if name == "sanitizer" and (summaries := [line for line in lines if "SUMMARY" in line]):
        last = ", ".join(summaries)
    return {"state": state, "seconds": seconds, "said": last[:300]}


def said(*command: str) -> str:
    """What a command prints, or nothing where it is not here."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def gather(folder: Path) -> dict[str, Any]:
    """The result of all parts, as it is kept."""
    file = folder / "races.json"
    raced = (
        json.loads(file.read_text()) if file.exists() else {"about": {}, "copy": [], "races": []}
    )
    driver = said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    release = re.search(r"release ([\d.]+)", said("nvcc", "--version"))
    name, _, version = driver.partition(", ")
    here = {"gpu": name, "driver": version, "nvcc": release[1] if release else ""}
    commit = said("git", "-C", str(HERE), "describe", "--always", "--dirty")
    return {
        "machine": here | raced["about"],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit or os.environ.get("COMMIT") or "unknown",
        "sources": sources_hash(SOURCES),
        "parts": {name: part(folder, name) for name in PARTS},
        "copy": raced["copy"],
        "races": raced["races"],
    }


def file_name(result: dict[str, Any]) -> str:
    """h200-DATE-COMMIT.json"""
    gpu = re.search(r"H\d+", result["machine"]["gpu"])
    kind = gpu[0].lower() if gpu else "h0"
    return f"{kind}-{result['date'][:10]}-{result['commit']}.json"


def latest(folder: Path) -> dict[str, Any] | None:
    results = [json.loads(path.read_text()) for path in folder.glob("h[0-9]*-*.json")]
    return max(results, key=lambda result: str(result["date"]), default=None)


def microseconds(row: dict[str, Any], name: str) -> str:
    """The median call of somebody, with a star where Python takes as long to make it."""
    if name not in row["rounds"]:
        return "refused" if name in row["out"] else ""
    seconds = statistics.median(row["rounds"][name])
    return f"{seconds * 1e6:.1f} us{'*' * (row['returns'][name] >= CALLS * seconds)}"


def cells(row: dict[str, Any], copy: float) -> list[str]:
    """A row of the table. `copy` is in bytes per second."""
    if "rounds" not in row:
        return [row["name"], "", "", "", "", "", "", row["out"]["all"]]
    from baregrad.racing import ratio  # there are races, and so a build

    rounds, (whom, aim) = row["rounds"], row["aim"]
    named = f"{aim:.0%} of copy" if whom == "copy" else f"{aim:g}x {whom}"
    out = "; ".join(f"{name}: {why}" for name, why in row["out"].items())
    begin = [row["name"], microseconds(row, "ours"), microseconds(row, "PyTorch")]
    if "ours" not in rounds:
        return [*begin, "", "", named, "", out]

    def to(name: str) -> Any:
        return ratio(rounds["ours"], rounds[name]) if name in rounds else ""

    seconds = statistics.median(rounds["ours"])
    least = max(row["flops"] / PEAKS[row["precision"]], row["bytes"] / copy)
    share = f"{least / seconds:.0%}" if row["flops"] else ""  # of a step nobody has counted them
    reached = row["bytes"] / copy / seconds if whom == "copy" else getattr(to(whom), "value", 0)
    value = f"{reached:.0%}" if whom == "copy" else f"{reached:.2f}x"
    verdict = "met" if reached >= aim else "missed"
    return [
        *begin,
        str(to("PyTorch")),
        share,
        named,
        value,
        "; ".join(filter(None, (verdict, out))),
    ]


def line(row: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def text(result: dict[str, Any] | None, sources: str) -> str:
    """What stands in gpu.md, where the sources have this hash now."""
    if result is None:
        return NEVER
    where = ", ".join(f"{name} {value}" for name, value in result["machine"].items() if value)
    lines = [f"{where}, {result['date']}, commit {result['commit']}.", ""]
    if result["sources"] != sources:
        lines += ["**Older than the sources**: the kernels have changed since.", ""]
    lines += ["| part | | seconds | |", "|---|---|---|---|"]
    for name, found in result["parts"].items():
        lines.append(line([name, found["state"], str(found["seconds"]), found["said"]]))
    if figures := result["parts"]["models"].get("figures"):
        lines += ["", "| instruction | beside its model |", "|---|---|"]
        for name, counts in figures.items():
            words = ", ".join(f"{key} {value}" for key, value in counts.items())
            lines.append(line([name, words]))
    if result["races"] and result["copy"]:
        copy = statistics.median(result["copy"])
        peaks = ", ".join(f"{peak / 1e12:g} TFLOP/s {name}" for name, peak in PEAKS.items())
        lines += ["", ABOUT.format(copy=copy / 1e12, peaks=peaks), "", HEAD]
        lines += [line(cells(row, copy)) for row in result["races"]]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gather", type=Path, metavar="PARTS", help="write a result first")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to")
    args = parser.parse_args()
    failed = False
    if args.gather:
        result = gather(args.gather)
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / file_name(result)).write_text(json.dumps(result, indent=1) + "\n")
        print(text(result, result["sources"]))
        failed = any(p["state"] not in ("passed", STATES[77]) for p in result["parts"].values())
    PAGE.write_text(text(latest(RESULTS), sources_hash(SOURCES)) + "\n")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
