"""Instructions of single calls inside a Python script, by valgrind's callgrind.

The script says `requests = Requests(sys.argv[1])`, `requests.start()`, and then for each call
`requests.zero()`, the call, `requests.dump(b"its name")`.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

# Requests are made by instructions that mean something to valgrind alone.
SOURCE = """
#include <valgrind/callgrind.h>
extern "C" void start() { CALLGRIND_START_INSTRUMENTATION; }
extern "C" void zero() { CALLGRIND_ZERO_STATS; }
extern "C" void dump(const char* name) { CALLGRIND_DUMP_STATS_AT(name); }
"""
Requests = ctypes.PyDLL  # CDLL would let go of the GIL around each


class CannotRunError(Exception):
    """Why nothing can be counted here."""


def parse(dump: str) -> tuple[str, Counter[str]] | None:
    """The name of a dump and its instructions by library; None of one that was not requested."""
    name = re.search(r"^desc: Trigger: Client Request: (.+)$", dump, re.MULTILINE)
    if name is None:
        return None
    counts: Counter[str] = Counter()
    library, called = "", False
    for line in dump.splitlines():
        if line.startswith("ob="):
            library = Path(line[3:]).name
        elif re.match(r"\d+ \d+$", line) and not called:
            counts[library] += int(line.split()[1])
        called = line.startswith("calls=")  # the next line is the callee's, counted there
    total = re.search(r"^totals: (\d+)$", dump, re.MULTILINE)
    if total is None or int(total[1]) != counts.total():
        raise ValueError(f"the dump of {name[1]} does not add up")
    return name[1], counts


def count(script: Path, environment: Mapping[str, str]) -> dict[str, Counter[str]]:
    """What each call of a script executes, by its name and by library. CannotRunError."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None or shutil.which("valgrind") is None:
        raise CannotRunError("needs valgrind and a C++ compiler")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "requests.cpp", Path(folder) / "requests.so"
        source.write_text(SOURCE)
        command = [compiler, "-O1", "-shared", "-fPIC", str(source), "-o", str(library)]
        if subprocess.run(command, check=False).returncode:
            raise CannotRunError("needs the headers of valgrind")
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no",
             "--compress-pos=no", f"--callgrind-out-file={folder}/dump",
             sys.executable, str(script), str(library)],
            env={**os.environ, **environment}, check=True,
        )  # fmt: skip
        return dict(filter(None, (parse(path.read_text()) for path in Path(folder).glob("dump.*"))))
