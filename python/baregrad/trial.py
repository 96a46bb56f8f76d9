"""A kernel of somebody's on trial: the cases of its ops, in a child process with a time limit.

A crash, a hang, a wrong element or a bad label accepted is a sentence here and never takes the
caller down.
"""

from __future__ import annotations

import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import backend, reference
from .cases import OPS, Case
from .cases.case import CaseError
from .cases.check import BoundError, check as check_case, exact_result
from .cases.on_device import OnDevice
from .native import _cpu
from .own import Plugin, device_of, watched
from .typing import NDArray

SECONDS = 20.0  # that one case may take
_TIMED_SECONDS = 120.0  # and one that is to be timed
_MOST_BYTES, _MOST_FLOPS = 2_000_000, 100_000  # of a case on the simulator; of those of more shapes
_WAYS_TO_LIE = {"transposed", "within", "backwards"}  # in memory: cases of gemm
_CHILD = "import sys; from baregrad import trial; trial.run_child(sys.argv[1:])"


def check(plugin: Plugin, seconds: float = SECONDS) -> int:
    """How many cases `plugin` passed. ValueError, with the first case that it did not pass and why."""
    return _hold(plugin, "tests", plugin.ops, seconds)


def check_timed(plugin: Plugin, op: str) -> None:
    """Hold `plugin` to the cases of `op` that are timed, as `check` does to those of the tests."""
    _hold(plugin, "benchmarks", [op], _TIMED_SECONDS)


def _hold(plugin: Plugin, which: str, ops: list[str], seconds: float) -> int:
    command = [sys.executable, "-c", _CHILD, str(seconds), which, str(plugin.library), *ops]
    read, write = os.pipe()
    # What is in use here, by whose wish we may be on trial, is not what the child is to use.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BAREGRAD_")}
    child = subprocess.Popen(
        [*command, str(write)], pass_fds=[write], stderr=subprocess.PIPE, env=environment
    )
    os.close(write)
    passed, running = 0, ""
    try:
        for line in _lines(read, seconds):
            kind, text = json.loads(line)
            if kind == "wrong":
                raise ValueError(f"{_heading(running, plugin)}: {text}")
            if kind == "done":
                return passed + (running != "")
            passed, running = passed + (running != ""), text
        raise ValueError(f"{_heading(running, plugin)}: {_how_it_ended(child)} ({_short(running)})")
    except TimeoutError:
        raise ValueError(
            f"{_heading(running, plugin)}: did not return within {seconds:g} s ({_short(running)})"
        ) from None
    finally:
        child.kill()
        child.communicate()
        os.close(read)


def _lines(pipe: int, seconds: float) -> Iterator[bytes]:
    """The lines that the child writes; TimeoutError if the next one takes longer than `seconds`."""
    rest, end = b"", time.monotonic() + seconds
    while True:
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError
        if not (data := os.read(pipe, 1 << 16)):
            return
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            end = time.monotonic() + seconds
            yield from lines


def _how_it_ended(child: subprocess.Popen[bytes]) -> str:
    code = child.wait()
    said = (child.stderr.read() if child.stderr else b"").decode(errors="replace").strip()
    how = (
        f"crashed with {signal.Signals(-code).name}"
        if code < 0
        else f"left the process with {code}"
    )
    return how + (f", saying {said.splitlines()[-1]!r}" if said else "")


def _short(running: str) -> str:
    return running.partition(" ")[2] or "as it was loaded, before the first case"


def _heading(running: str, plugin: Plugin) -> str:
    where = " on cuda" if plugin.device == "cuda" else ""
    return f"[{running.split(' ', 1)[0] or ', '.join(plugin.ops)}] {plugin.source}{where}"


# In the child


def run_child(arguments: list[str]) -> None:
    """Run cases of the ops: seconds, which cases, library, op, ..., and the pipe to tell how it goes."""
    (seconds, which, library, *ops), pipe = arguments[:-1], arguments[-1]

    limit = math.ceil(float(seconds)) + 1  # whoever asked may be gone

    def tell(kind: str, text: str) -> None:
        signal.alarm(limit)
        os.write(int(pipe), json.dumps([kind, text]).encode() + b"\n")

    signal.alarm(limit)
    device = device_of(library)
    table = _table(device, Path(library), ops)
    for case in _cases(which, device, ops):
        tell("case", f"{case.kernel} {_sizes(case)}")
        if wrong := first_wrong(case, table):
            return tell("wrong", wrong)
    return tell("done", "")


def _cases(which: str, device: str, ops: list[str]) -> list[Case]:
    """Those that are timed, or those of the tests, small ones first, but last products of no terms."""
    if which == "benchmarks":
        return [case for op in ops for case in OPS[op].benchmarks]
    cases = [case for op in ops for case in OPS[op].tests]
    more = [case for op in ops for case in getattr(OPS[op], "more_tests", ())]
    counted = {case.kernel for case in cases if case.flops}

    def late(case: Case) -> bool:
        return case.kernel in counted and not case.flops

    if device == "cpu":
        return [*sorted(cases, key=lambda case: (late(case), case.flops)), *more]
    cases = [case for case in cases if case.bytes <= _MOST_BYTES]
    cases.sort(key=lambda case: (late(case), case.bytes))
    return cases + [case for case in more if case.flops <= _MOST_FLOPS]


def _table(device: str, library: Path, ops: list[str]) -> Any:
    """The kernels of a device, those of the ops from the library; on the simulator watched."""
    there = backend.device(device)
    path = watched(str(library)) if device == "sim" else str(library)
    there.table.own.select("", [(op, library.name.split(".")[0], path) for op in ops])
    return there.table if device == "cpu" else OnDevice(there)


def first_wrong(case: Case, table: Any = backend.CPU.table) -> str | None:
    """What is wrong with what the kernels of `table` give for `case`, in a sentence, or None."""
    arguments = case.arguments(np.random.default_rng(0))
    exact = exact_result(case, arguments)
    _poison(exact)
    try:
        check_case(case, table, arguments, exact)
    except BoundError as error:
        names = _outputs(case.kernel)
        return _sentence(case, names[error.output] if error.output < len(names) else "out", error)
    except CaseError as error:
        return f"{error} ({_sizes(case)})"
    except RuntimeError as error:  # of the simulator: which line does what it must not
        if not str(error).startswith("["):
            raise
        return f"{str(error).partition('] ')[2]} ({_sizes(case)})"
    return None


def _sentence(case: Case, name: str, error: BoundError) -> str:
    outside, got, exact = error.outside, error.got, error.exact
    if got.shape != exact.shape:
        return f"{name} is {error}"
    where = tuple(int(axis[0]) for axis in np.nonzero(outside))
    with np.errstate(all="ignore"):
        expected = exact[where].astype(got.dtype)
    lies = not _WAYS_TO_LIE.isdisjoint(case.sizes)  # as other cases before it did not
    hint = "" if case.what else "its strides" if lies else _hint(outside, got)
    return (
        f"{name}[{', '.join(map(str, where))}] is {got[where]:.6g}, expected {expected:.6g}, "
        f"and so {outside.sum()} of {outside.size} elements ({_sizes(case)}){hint and f': {hint}?'}"
    )


def _sizes(case: Case) -> str:
    """m n k = 17 33 5, special"""
    sizes = f"{' '.join(case.sizes)} = {' '.join(map(str, case.sizes.values()))}"
    return f"{sizes}, {case.what}" if case.what else sizes


def _hint(outside: NDArray, got: NDArray) -> str:
    """What the pattern of wrong elements looks like."""
    if np.isnan(got[outside]).all():
        return "never written, or made of what is not an operand's"
    if outside.all():
        return ""
    for axis, what in ((-1, "column"), (-2, "row")):
        if outside.ndim < -axis:
            break
        others = tuple(i for i in range(outside.ndim) if i != outside.ndim + axis)
        wrong = np.flatnonzero(outside.any(axis=others))
        if len(wrong) < outside.shape[axis] and wrong[0] + len(wrong) == outside.shape[axis]:
            plural = "s" * (len(wrong) > 1)
            return f"the last {what}{plural} of a ragged tile"
    return ""


def _outputs(kernel: str) -> list[str]:
    """The names of a kernel's outputs, as its definition says them behind the arrow."""
    says = (getattr(reference, kernel).__doc__ or "").split("->", 1)[-1].split(" = ")[0]
    names = re.split(r"[.:;]", re.sub(r"\([^)]*\)", "", says))[0].split(",")
    return [words[0] for name in names if (words := name.split())]


def _poison(outputs: tuple[NDArray, ...]) -> None:
    """Leave NaN in the blocks from which the pool will serve the outputs."""
    blocks = [_cpu.relu_forward(np.full(out.shape, np.nan, np.float32)) for out in outputs]
    del blocks
