"""The machine code of the CUDA kernels, as nvcc makes it here; `python tests/device_code.py` keeps the budget.

cuda/resources.json says how many registers and how much shared memory each kernel takes on two
architectures. Nothing of it was run: a device is not needed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from toolchain import SOURCES

KERNELS = SOURCES / "cuda" / "kernels"
BUDGET = Path(__file__).resolve().parent.parent / "cuda" / "resources.json"
ARCHITECTURES = ("sm_80", "sm_90")
_FLAGS = ("-std=c++17", "-O3", "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings")


class Resources(NamedTuple):
    """What one kernel takes on one architecture."""

    registers: int
    shared: int  # bytes
    local: int  # bytes of the stack and of spilled registers, that go to memory


@cache
def nvcc() -> str | None:
    """The version of the nvcc that is here."""
    if shutil.which("nvcc") is None:
        return None
    said = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"release ([\d.]+)", said)
    return found and found[1]


def compile_cubin(source: Path, architecture: str, out: Path) -> dict[str, Resources]:
    """Compile a .cu; what each of its kernels takes, by name."""
    command = ["nvcc", *_FLAGS, f"-arch={architecture}", str(source), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Resources] = {}
    for symbol, said in re.findall(
        r"Compiling entry function '(\w+)'.*?\n(.*?)(?=Compile time)", done.stderr, re.DOTALL
    ):

        def number(pattern: str, text: str = said) -> int:
            return sum(map(int, re.findall(pattern, text)))

        local = number(r"(\d+) bytes stack frame") + number(r"(\d+) bytes spill")
        found[name_of(symbol)] = Resources(
            number(r"Used (\d+) registers"), number(r"(\d+) bytes smem"), local
        )
    return found


@cache
def name_of(symbol: str) -> str:
    """multiply_kernel<64, 64, Strided<true>, ...>"""
    filt = ["c++filt", symbol]
    text = subprocess.run(filt, capture_output=True, text=True, check=True).stdout.strip()
    text = re.sub(r"\(anonymous namespace\)::|_GLOBAL__N__\w+::|baregrad::|^void ", "", text)
    depth, name = 0, ""
    for character in text:  # up to the arguments
        depth += (character == "<") - (character == ">")
        if character == "(" and depth == 0:
            break
        name += character
    return re.sub(r"\((?:\w+ ?)+\)", "", name)


def tools() -> str | None:
    """The folder of cuobjdump and nvdisasm, from the packages of the group "device", or None."""
    places = (Path(path) / "nvidia" / "cu13" / "bin" for path in sys.path)
    return next((str(place) for place in places if (place / "cuobjdump").exists()), None)


def machine_code(cubin: Path) -> dict[str, list[str]]:
    """The instructions of each kernel."""
    folder = tools()
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    said = subprocess.run(
        [f"{folder}/cuobjdump", "-sass", str(cubin)],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout  # fmt: skip
    found = {}
    for part in said.split("Function : ")[1:]:
        symbol, _, body = part.partition("\n")
        found[name_of(symbol)] = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+ )?([A-Z][\w.]*)", body)
    return found


def main() -> None:
    """Write what all kernels take."""
    budget: dict[str, object] = {"nvcc": nvcc()}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        for architecture in ARCHITECTURES:
            out = {source: Path(folder) / f"{source.stem}.cubin" for source in KERNELS.glob("*.cu")}
            made = {
                source.stem: pool.submit(compile_cubin, source, architecture, path)
                for source, path in sorted(out.items())
            }
            budget[architecture] = {
                op: {name: [r.registers, r.shared] for name, r in sorted(future.result().items())}
                for op, future in made.items()
            }
    text = json.dumps(budget, indent=1)
    BUDGET.write_text(re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", text) + "\n")


if __name__ == "__main__":
    main()
