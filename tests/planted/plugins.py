"""Faults in kernels: compiled into a plug-in that is laid over the table in use."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import _cpu, backend
from baregrad.cases import OPS
from baregrad.cases.case import CaseError
from baregrad.cases.check import check, exact_result
from baregrad.cases.on_device import OnDevice
from conftest import SCHEDULES
from toolchain import ISA_FLAGS, SIMT, SOURCES, compile_shared, translate_cu

from . import plant


@dataclass(frozen=True, eq=False)  # one of the CPU and one of CUDA may read alike
class Fault:
    """A line of a kernel of an op, changed."""

    op: str
    what: str
    right: str
    wrong: str
    shared: str = ""  # the header in which the line stands, if not the op's own file
    isa: str = ""  # that has kernels which run it, if not all have

    def can_run(self) -> bool:
        """Whether this machine has an instruction set whose kernels run the line."""
        return not self.isa or self.isa in _cpu.available()

    def __str__(self) -> str:
        return f"{self.op}-{self.what}"


@contextmanager
def compiled(
    cpu: Iterable[Fault], cuda: Iterable[Fault], folder: Path
) -> Iterator[dict[Fault, Future[Path]]]:
    """The plug-ins of these faults, compiled side by side in `folder`."""
    threads = compile_shared([SOURCES / "csrc" / "threads.cpp"], folder / "threads.o", "-c")
    pool = ThreadPoolExecutor(os.cpu_count())
    futures = {}
    for name, faults, compile in (("cpu", cpu, compile_cpu), ("cuda", cuda, compile_cuda)):
        for i, fault in enumerate(faults):
            (place := folder / f"{name}{i}").mkdir()
            futures[fault] = pool.submit(compile, fault, place, threads)
    try:
        yield futures
    finally:
        pool.shutdown(cancel_futures=True)


def slots(op: str) -> list[str]:
    return re.findall(rf"slot\({op}, (\w+)\)", (SOURCES / "csrc" / "kernels.h").read_text())


def compile_cpu(fault: Fault, folder: Path, threads: Path) -> Path:
    isa = fault.isa or _cpu.available()[-1]  # which compiles without flags of its own
    shutil.copytree(SOURCES / "csrc", folder / "csrc")
    plant(
        folder / "csrc" / "kernels" / f"{fault.shared or fault.op}.inl.h", fault.right, fault.wrong
    )
    plugin = folder / "plugin.cpp"
    # Of the kernels only this one: to compile all of them takes ten times as long.
    table = folder / "csrc" / "isa" / "table.inl.h"
    includes = re.findall(r'(#include ".*?(\w+)(?:\.inl)?\.h")', table.read_text())
    kept = [line for line, stem in includes if stem == fault.op or stem not in OPS]
    table.write_text("\n".join([*kept, ""]))
    fills = " ".join(f"table->{slot} = baregrad::{isa}::{slot};" for slot in slots(fault.op))
    plugin.write_text(
        f'#include "csrc/isa/{isa}.cpp"\n'
        f"void baregrad_plugin(baregrad::Kernels* table) {{ {fills} }}\n"
    )
    return compile_shared(
        [plugin, threads],
        folder / "plugin.so",
        "-ffp-contract=off",
        *ISA_FLAGS[isa],
        "-Wno-unused-parameter",
        "-Wno-unused-but-set-parameter",
        "-Wno-unused-variable",
        "-Wno-unused-function",
    )


def compile_cuda(fault: Fault, folder: Path, _: Path) -> Path:
    kernels, source = SOURCES / "cuda" / "kernels", folder / f"{fault.op}.cu"
    planted = folder / f"{fault.shared}.cuh" if fault.shared else source
    for file in (source, *kernels.glob("*.cuh")):
        shutil.copy(kernels / file.name, folder / file.name)
    plant(planted, fault.right, fault.wrong)
    for header in folder.glob("*.cuh"):
        translate_cu(header, header)
    with source.open("a") as text:
        fills = " ".join(f"table->{slot} = baregrad::{slot};" for slot in slots(fault.op))
        text.write(f"\nvoid baregrad_plugin(baregrad::Kernels* table) {{ {fills} }}\n")
    return compile_shared(
        [translate_cu(source, folder / "plugin.cpp")],
        folder / "plugin.so",
        *("-I", str(SIMT / "include"), "-I", str(folder), "-I", str(kernels)),
        *("-Wno-unused-parameter", "-Wno-unknown-pragmas"),
    )


def noticed_on_the_cpu(fault: Fault, library: Path) -> str:
    """The first case that notices the fault, or nothing."""
    try:
        isa = fault.isa or _cpu.available()[-1]
        _cpu.select(isa, [(fault.op, fault.what, str(library))])
        return noticed(fault, bg.kernels.cpu)
    finally:
        _cpu.select("", [])


def noticed_on_the_simulator(fault: Fault, library: Path) -> str:
    """The first case that notices the fault in some schedule, or nothing."""
    sim = backend.device("sim")
    extension = sim.table.own
    before = extension.schedule()
    try:
        extension.select("", [(fault.op, fault.what, str(library))])
        for schedule in SCHEDULES:
            extension.set_schedule(schedule)
            if case := noticed(fault, OnDevice(sim)):
                return case if schedule == "forward" else f"{case}, {schedule}"
        return ""
    finally:
        extension.select("", [])
        extension.set_schedule(before)


def noticed(fault: Fault, table: Any) -> str:
    """The first case of the op that it does not pass."""
    for case in OPS[fault.op].tests:
        arguments = case.arguments(np.random.default_rng(0))
        try:
            check(case, table, arguments, exact_result(case, arguments))
        except CaseError:
            return str(case)
    return ""
