"""What each rung of the ladders is worth on this machine: python bench/ladder.py [--save | --counts].

With --save the rows go to bench/results/, and the tables of csrc/ladder/README.md are written anew. With
--counts those of cuda/ladder/README.md are, which need no quiet machine: the simulator counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

from baregrad import _cpu
from baregrad.cli.ladder import COUNTED, LADDERS, cases_of, climb, count
from peak import machine

HERE = Path(__file__).parent
README, CUDA_README = (HERE.parent / code / "ladder" / "README.md" for code in ("csrc", "cuda"))
BEGIN, END = "<!-- bench/ladder.py: begin -->", "<!-- bench/ladder.py: end -->"


def measure() -> dict[str, Any]:
    tables = [
        {"case": str(case), "rows": [dataclasses.asdict(row) for row in rows]}
        for op, ladder in LADDERS.items()
        for case, rows in climb(op, cases_of(op, ladder.default))
    ]
    peak = max(_cpu.measure_fma(0.1) for _ in range(5))  # at times two threads have one core
    where = {**machine(), "isa": _cpu.in_use(), "peak": peak}
    return {"date": datetime.date.today().isoformat(), "machine": where, "tables": tables}


def text(result: dict[str, Any]) -> str:
    where = result["machine"]
    threads = f"{where['threads']} threads of {where['cpu']}, {where['isa']}"
    lines = [f"{threads}, multiply-add peak {where['peak']:.0f} GFLOP/s, {result['date']}:"]
    for table in result["tables"]:
        lines += [
            "",
            f"| {table['case']} | idea | ms | rate | gain | share |",
            "|---|---|---:|---:|---:|---:|",
        ]
        for row in table["rows"]:
            gain = f"{row['gain']:.1f}x" if row["gain"] else ""
            lines.append(
                f"| {row['rung']} | {row['idea']} | {row['milliseconds']:.2f} | {row['rate']} | "
                f"{gain} | {row['share']:.0%} |"
            )
    return "\n".join(lines)


def latest() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(max(HERE.glob("results/ladder-*.json")).read_text())
    return result


def counts() -> str:
    """What the simulator counts of the rungs in CUDA."""
    tables = []
    for op in COUNTED:
        for case in cases_of(op, LADDERS[op].counted):
            lines = "\n".join(" | ".join(["", *row, ""]).strip() for row in count(op, case))
            head, _, rest = lines.partition("\n")
            tables.append(f"{case}:\n\n{head}\n{'|---' * (head.count('|') - 1)}|\n{rest}")
    return "\n\n".join(tables)


def write_between(readme: Path, lines: str) -> None:
    before, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{lines}\n{END}{rest.split(END)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--counts", action="store_true")
    args = parser.parse_args()
    if args.counts:
        write_between(CUDA_README, counts())
        return
    result = measure()
    print(text(result))
    if args.save:
        path = HERE / "results" / f"ladder-{result['date']}.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        write_between(README, text(result))


if __name__ == "__main__":
    main()
