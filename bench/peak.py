"""GEMM against the multiply-add peak of this machine: python bench/peak.py [--size N] [--save].

The peak is measured before and after each round of products, so that both see the same clock. A
product is checked before it is timed. With --save the samples go to bench/results/, and the README's table is written anew.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import _cpu
from baregrad.cases.gemm import bound

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- bench/peak.py: begin -->", "<!-- bench/peak.py: end -->"


def measure(isa: str, size: int, rounds: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), np.float32) for _ in range(2))
    out = np.empty((size, size), np.float32)
    with bg.use(isa=isa):
        bg.kernels.cpu.gemm(a, b, out=out)
        assert (np.abs(out - a.astype(np.float64) @ b) <= bound({"a": a, "b": b})[0]).all()
        peak, product = [], []
        for _ in range(rounds):
            before = _cpu.measure_fma(0.1)
            best, end = float("inf"), time.perf_counter() + 0.2
            while time.perf_counter() < end:
                start = time.perf_counter()
                bg.kernels.cpu.gemm(a, b, out=out)
                best = min(best, time.perf_counter() - start)
            product.append(2 * size**3 / best / 1e9)
            peak.append(max(before, _cpu.measure_fma(0.1)))
    return {"isa": isa, "size": size, "peak": peak, "gemm": product}


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {"cpu": model, "threads": bg.get_num_threads(), "compiler": _cpu.compiler()}


def table(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        shares = [g / p for g, p in zip(row["gemm"], row["peak"], strict=True)]
        rows.append(
            f"| {row['isa']} | {statistics.median(row['gemm']):.0f} | "
            f"{statistics.median(row['peak']):.0f} | {statistics.median(shares):.0%} | "
            f"{min(shares):.0%} to {max(shares):.0%} |"
        )
    size, where = result["rows"][0]["size"], result["machine"]
    title = (
        f"GEMM {size} x {size} x {size}, float32, {where['threads']} threads of {where['cpu']}, "
        f"{result['date']}, median of {len(result['rows'][0]['gemm'])} rounds:"
    )
    return "\n".join(
        [
            title,
            "",
            "| instruction set | GEMM, GFLOP/s | multiply-add peak, GFLOP/s | share | spread |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def latest() -> dict[str, Any]:
    newest = max(HERE.glob("results/peak-*.json"))
    result: dict[str, Any] = json.loads(newest.read_text())
    return result


def write_readme(result: dict[str, Any]) -> None:
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    rows = [measure(isa, args.size, args.rounds) for isa in _cpu.available()]
    result = {"date": datetime.date.today().isoformat(), "machine": machine(), "rows": rows}
    print(table(result))
    if args.save:
        path = HERE / "results" / f"peak-{result['date']}.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        write_readme(result)


if __name__ == "__main__":
    main()
