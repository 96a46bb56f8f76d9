"""Where the time goes: calls and seconds of every kernel that the bindings ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .backend import device, loaded


@dataclass(frozen=True)
class KernelTime:
    """One kernel's share: how often it ran and for how long altogether."""

    name: str
    calls: int
    seconds: float


@dataclass
class Profile:
    """Filled when `profile()` ends, the longest first."""

    kernels: list[KernelTime] = field(default_factory=list)

    def __str__(self) -> str:
        total = sum(k.seconds for k in self.kernels) or 1.0
        return "\n".join(
            f"{k.name:<24}{k.calls:>9} calls{k.seconds * 1e3:>10.1f} ms{k.seconds / total:>7.1%}"
            for k in self.kernels
        )


@contextmanager
def profile() -> Iterator[Profile]:
    """Time the compiled kernels inside: `with bg.profile() as p: ...; print(p)`.

    It covers the backends that are loaded when it starts. The clock costs about 50 ns a call.
    Profiles do not nest: the inner one takes the counts.
    """
    result = Profile()
    extensions: list[Any] = [device(name).table.own for name in loaded()]
    for extension in extensions:
        extension.profile_start()
    try:
        yield result
    finally:
        rows = [row for extension in extensions for row in extension.profile_stop()]
        times = [KernelTime(name, calls, ns / 1e9) for name, calls, ns in rows]
        result.kernels = sorted(times, key=lambda k: -k.seconds)
