"""The machine code of the CUDA kernels, as nvcc makes it here; `python tests/device_code.py` keeps the budget.

cuda/resources.json says how many registers and how much shared memory each kernel takes on each
architecture that _cuda is built for. Nothing of it was run: a device is not needed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from toolchain import SOURCES

KERNELS = SOURCES / "cuda" / "kernels"
BUDGET = Path(__file__).resolve().parent.parent / "cuda" / "resources.json"
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
_FLAGS = ("-std=c++17", "-O3", "-fatbin", "--threads=0", "-Xptxas", "-v", "-Werror", "all-warnings")
Kernels = dict[str, dict[str, "Resources"]]  # by name and architecture


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


def compile_for_all(source: Path, out: Path) -> Kernels:
    """Compile a .cu; what each of its kernels takes."""
    numbers = (architecture.removeprefix("sm_") for architecture in ARCHITECTURES)
    devices = (f"-gencode=arch=compute_{number},code=sm_{number}" for number in numbers)
    command = ["nvcc", *_FLAGS, *devices, str(source), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: Kernels = {}
    for symbol, architecture, said in re.findall(
        r"Compiling entry function '(\w+)' for '(\w+)'\n(.*?)(?=Compile time)",
        done.stderr,
        re.DOTALL,
    ):

        def number(pattern: str, text: str = said) -> int:
            return sum(map(int, re.findall(pattern, text)))

        local = number(r"(\d+) bytes stack frame") + number(r"(\d+) bytes spill")
        found.setdefault(name_of(symbol), {})[architecture] = Resources(
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


def machine_code(binary: Path, architecture: str) -> dict[str, list[str]]:
    """The instructions of each kernel."""
    folder = tools()
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    said = subprocess.run(
        [f"{folder}/cuobjdump", "-sass", "-arch", architecture, str(binary)],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout  # fmt: skip
    found = {}
    for part in said.split("Function : ")[1:]:
        symbol, _, body = part.partition("\n")
        found[name_of(symbol)] = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+ )?([A-Z][\w.]*)", body)
    return found


def main() -> None:
    """Write what all kernels take: registers and bytes of shared memory, a pair an architecture."""
    ops = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(KERNELS.glob("*.cu")):
            ops[source.stem] = {
                name: [on[architecture][:2] for architecture in ARCHITECTURES]
                for name, on in sorted(compile_for_all(source, Path(folder) / "fatbin").items())
            }
    budget = {"nvcc": nvcc(), "architectures": ARCHITECTURES, **ops}
    text = json.dumps(budget, indent=1)
    lists = re.compile(r"\[[^{}]*?\](?=,?\n {1,2}[\"}])")  # a line each
    BUDGET.write_text(lists.sub(lambda found: json.dumps(json.loads(found[0])), text) + "\n")


if __name__ == "__main__":
    main()
