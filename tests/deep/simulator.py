"""The simulator under AddressSanitizer and ThreadSanitizer: cd tests; python -m deep.simulator.

One program runs, right or wrong in one way. Of what is wrong the sanitizers, who know nothing of CUDA,
have to name the line that the simulator names by itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from baregrad import backend
from deep.prove import CANNOT_RUN
from toolchain import SIMT, compiler, simulator_sources, translate_cu

PROGRAM = Path(__file__).resolve().parents[1] / "simulator" / "sanitized.cu"
# How a compiler is told of each, how it is run, and the fault that it is to find: its name, and in words.
# Fibers are none of ThreadSanitizer's threads, and their calls and returns none of a thread's.
SANITIZERS = {
    "address": ((), (), "outside", "heap-buffer-overflow|use-after-poison"),
    "thread": (
        ("--param=tsan-instrument-func-entry-exit=0",),
        ("setarch", "-R"),  # which wants addresses where they always are
        "blocks",
        "data race",
    ),
}


def build(name: str, flags: tuple[str, ...], folder: Path) -> Path:
    """The program and the simulator, both compiled with a sanitizer."""
    translated, program = translate_cu(PROGRAM, folder / "sanitized.cpp"), folder / name
    command = [compiler() or "g++", "-std=c++20", "-O1", "-g", "-pthread", f"-fsanitize={name}"]
    include = ["-I", str(SIMT / "include")]
    sources = map(str, (translated, *simulator_sources()))
    subprocess.run([*command, *flags, *include, *sources, "-o", str(program)], check=True)
    return program


def said(*command: str) -> tuple[int, str]:
    """The exit status of a command, and all that it wrote."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def main() -> int:
    """0 if what is right passes, and each fault is found in the line where the simulator finds it."""
    if backend.why_absent("sim") or "g++" not in (compiler() or ""):
        print("needs the simulator, and g++ with its sanitizers")
        return CANNOT_RUN
    wrong, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, (flags, prefix, fault, words) in SANITIZERS.items():
            program = str(build(name, flags, Path(folder)))
            code, text = said(*prefix, program, "right")
            if code or "Sanitizer" in text:
                wrong.append(f"{name}: what is right has a report\n{text}")
            _, text = said(*prefix, program, fault)
            theirs = re.search(rf"(?:{words})(?:.*\n)*?.*sanitized\.cu:(\d+)", text)
            _, text = said(sys.executable, "-m", "baregrad", "sim", str(PROGRAM), fault)
            ours = re.search(r"sanitized\.cu:(\d+): (?:race|access outside)", text)
            if theirs and ours and theirs[1] == ours[1]:
                found.append(f"{fault} by {name} sanitizer")
            else:
                wrong.append(
                    f"{fault}: {name} sanitizer says {theirs}, the simulator {ours}\n{text}"
                )
    print("\n".join(wrong), file=sys.stderr)
    print(
        f"{len(found)} of {len(SANITIZERS)} faults found in the same line; what is right has no report"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
