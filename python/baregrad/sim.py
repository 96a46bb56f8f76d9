"""`bg.sim`: the CUDA simulator, and what it counted of the kernels that it ran."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import backend
from .native import _cpu

_SOURCES = Path(_cpu.__file__).parent / "sources"
_WIDTH = 56  # of a line of source
_WARP = 32


def is_available() -> bool:
    """Whether `.to("sim")` works."""
    return backend.why_absent("sim") is None


@dataclass(frozen=True)
class Access:
    """What a line of a kernel does to one kind of memory, in all its launches.

    A request is a warp's; `lanes` of its threads took part in all of them, and asked for `bytes`.
    Global memory answers in `transactions` of 32 bytes, shared memory in passes through its 32 banks;
    `least` would do, were the bytes side by side.
    """

    file: str
    line: int
    text: str
    memory: str  # "global" or "shared"
    does: str  # "reads", "writes" or "updates", with atomics
    requests: int
    lanes: int
    bytes: int
    transactions: int
    least: int

    def __str__(self) -> str:
        each, excess = self.transactions / self.requests, self.transactions / max(1, self.least)
        many = f"{excess:.1f}x" if excess >= 1.05 else ""
        text = self.text if len(self.text) <= _WIDTH else self.text[: _WIDTH - 3] + "..."
        return (
            f"{self.line:>5} | {text:<{_WIDTH}} {self.memory} {self.does:<8}{self.requests:>11,}"
            f"{self.lanes / self.requests:>7.1f}{each:>7.1f}{many:>8}"
        )


@dataclass(frozen=True)
class Piece:
    """A piece of a kernel between two branches, which begins in a line.

    Warps ran it in `turns`, in which `lanes` of their threads took part, `flops` operations each:
    None where nobody can tell.
    """

    file: str
    line: int
    text: str
    turns: int
    lanes: int
    flops: int | None

    @property
    def idle(self) -> int:
        """Lanes that took no part."""
        return _WARP * self.turns - self.lanes


@dataclass(frozen=True)
class Kernel:
    """A kernel, how often it was launched, its lines that access memory, and its pieces."""

    name: str
    launches: int
    blocks: int
    threads: int  # of a block
    accesses: tuple[Access, ...]
    pieces: tuple[Piece, ...]

    @property
    def flops(self) -> int | None:
        """Floating-point operations of all threads, a multiply-add two; None without objdump."""
        counts = [None if p.flops is None else p.lanes * p.flops for p in self.pieces]
        return None if None in counts else sum(filter(None, counts))

    @property
    def busy(self) -> float:
        """The share of a warp's lanes that took part, of all pieces: 1 where no branch divides one."""
        turns = sum(piece.turns for piece in self.pieces)
        return sum(piece.lanes for piece in self.pieces) / (_WARP * max(1, turns))

    @property
    def requests(self) -> int:
        """Of both memories."""
        return sum(access.requests for access in self.accesses)

    def total(self, quantity: str, memory: str) -> int:
        """The sum over all lines of "requests", "bytes", "transactions", ... of one memory."""
        return sum(getattr(a, quantity) for a in self.accesses if a.memory == memory)

    @property
    def summary(self) -> str:
        """As text, without its lines."""
        times = "1 launch" if self.launches == 1 else f"{self.launches:,} launches"
        lines = [f"{self.name}: {times}, {self.blocks:,} blocks of {self.threads} threads"]
        flops = "unknown without objdump" if self.flops is None else f"{self.flops:,}"
        lines.append(f"  floating-point operations: {flops}; lanes busy: {self.busy:.0%}")
        if self.pieces and self.busy < 0.995:
            worst = max(self.pieces, key=lambda piece: piece.idle)
            share = f"{worst.lanes / worst.turns:.1f} of {_WARP}"
            lines[-1] += f", least at {worst.file}:{worst.line}, {share}"
        for memory, unit in (("global", "sectors of 32 bytes"), ("shared", "passes of the banks")):
            if requests := self.total("requests", memory):
                least, done = self.total("least", memory), self.total("transactions", memory)
                lines.append(
                    f"  {memory}  {self.total('bytes', memory):>14,} bytes asked for, "
                    f"{requests:,} requests, {done:,} {unit}, {least / done:.0%} of them needed"
                )
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = [self.summary]
        for file in dict.fromkeys(access.file for access in self.accesses):
            head = f"{'requests':>11}{'lanes':>7}{'each':>7}{'excess':>8}"
            lines.append(f"  {file:<{_WIDTH + 21}}{head}")
            lines += [str(access) for access in self.accesses if access.file == file]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """What the simulator counted. As text: kernel by kernel, beside the lines of their source."""

    kernels: tuple[Kernel, ...]

    def __getitem__(self, name: str) -> Kernel:
        for kernel in self.kernels:
            if kernel.name == name:
                return kernel
        ran = ", ".join(kernel.name for kernel in self.kernels) or "none"
        raise KeyError(f"[report] no kernel {name!r} was counted, only {ran}")

    def __str__(self) -> str:
        if not self.kernels:
            return 'nothing was counted: run kernels on "sim" inside `with bg.use(sim="counted"):`'
        return "\n\n".join(map(str, self.kernels))


def report() -> Report:
    """What was counted since `bg.use(sim="counted")`, or since the last `reset`.

    Lines are those of the sources, found by addr2line of binutils; without it they are all 0.
    """
    kernels = (_kernel(*kernel) for kernel in _simulator().counted())
    return Report(tuple(sorted(kernels, key=lambda kernel: -kernel.requests)))


def reset() -> None:
    """Count from 0 again."""
    _simulator().forget_counted()


def _simulator() -> Any:
    return backend.device("sim").table.own


def _kernel(
    name: str,
    launches: int,
    blocks: int,
    threads: int,
    lines: Sequence[Any],
    pieces: Sequence[Any],
) -> Kernel:
    accesses = tuple(Access(*_line(file, line), *counts) for file, line, *counts in lines)
    parts = tuple(
        Piece(*_line(file, line), turns, lanes, _flops(library, place))
        for file, line, library, place, turns, lanes in pieces
    )
    return Kernel(name, launches, blocks, threads, accesses, parts)


def _flops(library: str, place: int) -> int | None:
    from .pieces import flops_of  # starts processes, and is not wanted before

    found = flops_of(library)
    return None if found is None else found.get(place, 0)


def _line(file: str, line: int) -> tuple[str, int, str]:
    path = _SOURCES / file  # of a file of one's own: its own
    return _shown(path), line, linecache.getline(str(path), line).strip()


def _shown(path: Path) -> str:
    for folder in (_SOURCES, Path.cwd()):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return str(path)
