"""`bg.use`: pick an entry of a table, for good or inside a `with`."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import backend
from .hints import an, like
from .native import _cpu
from .reading import regular

if TYPE_CHECKING:
    from .own import Plugin

_SUFFIX = ".so"
SOURCES = (".cpp", ".cc", ".cxx", ".cu")  # what a person's own may end in
# The rungs, <op>_<number>_<idea>
_PLACE = Path(_cpu.__file__).parent
_LADDERS = {
    "cpu": (_PLACE / "sources" / "csrc" / "ladder", ".cpp"),
    "sim": (_PLACE / "sources" / "cuda" / "ladder", ".cu"),
}
# The kernels of the simulator, compiled so that it sees every access to memory.
_WATCHED = _PLACE / "_sim_watched.so"
_WATCHING = ("watched", "counted")
_ROUNDED = ("tf32", "bf16")
_OPS = frozenset(_cpu.SLOTS.values())


@dataclass(frozen=True)
class Choice:
    """What runs the kernels: a table for NumPy arrays, an instruction set, and rungs by op."""

    table: str = "cpu"
    isa: str = ""  # the best there is
    rungs: tuple[tuple[str, str], ...] = ()  # op and number, idea or both, or the path of a library
    sim: str = "plain"  # or one of _WATCHING
    precision: str = "float32"  # of factors on devices, or one of _ROUNDED


_current = Choice()
_snapshots: tempfile.TemporaryDirectory[str] | None = None
_originals: dict[str, Path] = {}  # of the snapshots
_plugins: dict[str, Plugin] = {}  # that were built of one's own files, by library


class Chosen:
    """What `use` returns: as a context manager it brings back what was in use before."""

    def __init__(self, before: Choice) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.bring_back()

    def bring_back(self) -> None:
        """Use again what was in use before."""
        _apply(self._before)


def in_use() -> Chosen:
    """What is in use now, to be brought back."""
    return Chosen(_current)


def current() -> Choice:
    """What is in use now."""
    return _current


def changes(op: str, before: Choice) -> bool:
    """Whether what runs the kernels of an op may be other than it was."""
    ours, theirs = (
        replace(choice, rungs=tuple(rung for rung in choice.rungs if rung[0] == op))
        for choice in (_current, before)
    )
    return ours != theirs


def use(*specs: str, **entries: str) -> Chosen:
    """Pick what runs the kernels from now on, or inside `with bg.use(...):`.

    use("reference")            NumPy arrays run through the NumPy definitions; "cpu" undoes it
    use(isa="avx2")             the CPU kernels compiled for this instruction set
    use(gemm="ladder/naive")    one op's rung of the teaching ladder, on every backend that has it
    use(conv2d="ladder/winograd")  the fastest for 3x3 filters, for larger errors (csrc/ladder/README.md)
    use("my_gemm.cpp")          your own for the CPU: compiled, checked on the cases of its op, used
    use("my_gemm.cu")           your own for devices: for "cuda" by nvcc, when that is in use
    use(gemm="./my_gemm.so")    the same, compiled before, unchecked: it exports baregrad_plugin
    use(sim="watched")          the simulator finds races, strays and what nobody wrote; "plain" is fast
    use(precision="bf16")       products on a device round their factors, and "float32" undoes it
    use(sim="counted")          and counts for `bg.sim.report()` what memory has to do for each line
    use("isa=avx2,gemm=ladder/0")  the same as text, as on the command line and in BAREGRAD_USE

    Entries are taken in order, and a later one for the same thing wins. It holds for the whole process,
    its other threads included.

    Raises ValueError for an entry that is not there, naming those that are, and for a file that does
    not compile or computes something else. RuntimeError if a .cu is for cuda and there is no nvcc.
    """
    before = choice = _current
    for spec in specs:
        if not isinstance(spec, str):
            raise TypeError(f"[use] spec is {an(spec)}, expected text")
        whole = spec.endswith(SOURCES) and Path(spec).is_file()  # with a comma in its name
        for part in [spec] if whole else spec.split(","):
            name, equals, value = part.strip().partition("=")
            if whole or (name.endswith(SOURCES) and not equals):
                from . import own

                for op in own.build(Path(part.strip())).ops:
                    choice = _pick(choice, op, part.strip())
            elif equals:
                choice = _pick(choice, name, value)
            else:
                choice = _pick_table(choice, name)
    for name, value in entries.items():
        choice = _pick(choice, name, value)
    _apply(choice)
    return Chosen(before)


def _pick_table(choice: Choice, name: str) -> Choice:
    if name == "cpu":
        return Choice()
    if name == "reference":
        return replace(choice, table=name)
    hint = f'; a device is chosen by .to("{name}")' if name in ("sim", "cuda") else ""
    if name in _cpu.available():
        hint = f"; an instruction set is isa={name}"
    elif Path(name).is_dir():
        hint = "; it is a folder"
    elif "/" in name:
        hint = f"; a rung is that of an op, gemm={name} for one"
    raise ValueError(
        f"[use] table is {name!r}, expected cpu, reference, name=value or a file "
        f"{_or(SOURCES)}{hint}"
    )


def _pick(choice: Choice, name: str, value: str) -> Choice:
    if name == "isa":
        if not isinstance(value, str):
            raise TypeError(f"[use] isa is {an(value)}, expected text")
        return replace(choice, isa=value)
    if name == "sim":
        if value not in ("plain", *_WATCHING):
            raise ValueError(f"[use] sim is {value!r}, expected plain, {' or '.join(_WATCHING)}")
        if value != "plain" and (why := backend.why_absent("sim")):
            raise ValueError(f"[use] sim is not here: {why}")
        return replace(choice, sim=value)
    if name == "precision":
        if value not in ("float32", *_ROUNDED):
            raise ValueError(
                f"[use] precision is {value!r}, expected float32, {' or '.join(_ROUNDED)}"
            )
        return replace(choice, precision=value)
    rung = _find(name, value)
    return replace(choice, rungs=(*(r for r in choice.rungs if r[0] != name), (name, rung)))


def autocast(device_type: str, dtype: str = "bfloat16", enabled: bool = True) -> Chosen:
    """Inside `with autocast("cuda"):` products on devices round their factors and run on tensor cores.

    To bfloat16 (8 bits of each number) or "tf32" (11), ties to even; products are exact, sums and all
    other kernels float32, and so are weights: nothing is stored in less. Matrix products alone, not
    convolutions (Micikevicius et al. 2018, Mixed Precision Training). It holds for the whole process.

    Raises ValueError for another dtype, and for "cpu", whose kernels are float32.
    """
    names = {"bfloat16": "bf16", "bf16": "bf16", "tf32": "tf32", "float32": "float32"}
    if dtype not in names:
        raise ValueError(f"[autocast] dtype is {dtype!r}, expected bfloat16, tf32 or float32")
    if backend.checked_name(device_type) == "cpu":
        raise ValueError(
            "[autocast] device_type is 'cpu', whose kernels are float32: expected sim or cuda"
        )
    return use(precision=names[dtype]) if enabled else use()


@cache
def rungs() -> tuple[tuple[str, str, str, Path], ...]:
    """All rungs of the ladders, as backend, op, number_idea and file."""
    return tuple(
        (where, named[1], named[2], path)
        for where, (folder, suffix) in _LADDERS.items()
        for path in sorted(folder.glob(f"*{suffix}"))
        if (named := re.fullmatch(r"(\w+?)_(\d+_\w+)", path.stem))
    )


def _find(op: str, value: str) -> str:
    """What `use` keeps of an entry: a rung, as it was called, or the path of a library."""
    if op not in _OPS:
        raise ValueError(f"[use] {op!r} is no op, expected {like(op, sorted(_OPS))}{kind_of(op)}")
    if not isinstance(value, str):
        raise TypeError(f"[use] {op} is {an(value)}, expected text")
    if value.endswith(_SUFFIX):
        return _snapshot(op, Path(value))
    if value.endswith(SOURCES):
        from . import own, trial  # loaded only where somebody brings a kernel

        plugin = own.build(Path(value))
        if op not in plugin.ops:
            raise ValueError(f"[use] {op}: {value} fills {', '.join(plugin.ops)}")
        trial.check(plugin)
        _plugins[str(plugin.library)] = plugin
        return str(plugin.library)
    return _wanted_rung(op, value)


def _wanted_rung(op: str, value: str) -> str:
    """What "ladder/<number>", "ladder/<idea>" or both says, if it is a rung of the op somewhere."""
    here = [where for where in _LADDERS if _rungs_named(where, op, value)]
    if here:
        return value.partition("/")[2]
    of_op = dict.fromkeys(rung for _, o, rung, _ in rungs() if o == op)
    known = ", ".join(f"{op}=ladder/{rung}" for rung in of_op)
    raise ValueError(
        f"[use] {op} is {value!r}, expected isa=..., a file {_or((*SOURCES, _SUFFIX))}, or a rung: {known}"
    )


def _rungs_named(where: str, op: str, value: str) -> list[str]:
    family, _, wanted = value.partition("/")
    return [
        rung
        for place, o, rung, _ in rungs()
        if (place, o, family) == (where, op, "ladder") and wanted in (rung, *rung.split("_", 1))
    ]


def find_rung(op: str, value: str) -> str:
    """The rung of the CPU, number_idea, that a value such as "ladder/3" names."""
    _wanted_rung(op, value)
    if not (named := _rungs_named("cpu", op, value)):
        raise ValueError(f"[use] {op} is {value!r}, which the CPU has no rung for")
    return named[0]


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def kind_of(name: str) -> str:
    """What ends a sentence about such a name: "; relu is a kind of unary", a kernel of it, or nothing."""
    kinds = {"unary": _cpu.UNARY, "binary": _cpu.BINARY, "compare": _cpu.COMPARE}
    if name in _cpu.SLOTS:
        return f"; {name} is a kernel of {_cpu.SLOTS[name]}"
    return next((f"; {name} is a kind of {op}" for op in kinds if name in kinds[op]), "")


def _snapshot(op: str, library: Path) -> str:
    """The path of a copy: the dynamic linker would not look at a file of the same name again."""
    global _snapshots
    if _snapshots is None:
        _snapshots = tempfile.TemporaryDirectory(prefix="baregrad-")
    folder = tempfile.mkdtemp(dir=_snapshots.name)
    try:
        copy = str(shutil.copy(regular("use", library), folder))
    except OSError as error:
        raise ValueError(f"[use] {op}: {library}: {error.strerror}") from error
    _originals[copy] = library
    return copy


def _apply(choice: Choice) -> None:
    global _current
    found = {where: _alternatives(where, choice) for where in backend.loaded()}
    for where, alternatives in found.items():
        _select(where, choice, alternatives)
    backend.kernels.active = backend.REFERENCE if choice.table == "reference" else backend.CPU.table
    _current = choice


def apply_to(where: str) -> None:
    """Let a backend that was loaded just now use what is in use."""
    _select(where, _current, _alternatives(where, _current))


def _alternatives(where: str, choice: Choice) -> list[tuple[str, str, str]]:
    """What is laid over the kernels of a backend: op, label and library."""
    from . import own

    chosen, watching = dict(choice.rungs), where == "sim" and choice.sim in _WATCHING
    libraries = {
        op: (Path(library).name.split(".")[0], there)
        for op, library in chosen.items()
        if library.endswith(_SUFFIX) and (there := _library(where, library))
    }
    ladder = "sim" if where == "cuda" else where
    for place, op, rung, path in rungs():
        if place == ladder and chosen.get(op) in (rung, *rung.split("_", 1)):
            isa = (choice.isa or _cpu.available()[0]) if where == "cpu" else ""
            libraries[op] = (f"ladder/{rung}", str(own.build(path, isa, where).library))
    if not watching:
        return [(op, label, library) for op, (label, library) in libraries.items()]
    # One's own last: what it leaves out of an op is watched all the same.
    watched = [(op, "watched", str(_WATCHED)) for op in sorted(_OPS)]
    return [*watched, *((op, label, own.watched(own_)) for op, (label, own_) in libraries.items())]


def left_out(where: str) -> list[str]:
    """The ops for which a kernel is in use that a backend has none of: one of the CPU on a device."""
    laid = {op for op, label, _ in _alternatives(where, _current) if label != "watched"}
    return [op for op, _ in _current.rungs if op not in laid]


def own_kernels(op: str) -> Plugin | None:
    """The file of somebody's that is in use for an op, compiled here."""
    return _plugins.get(dict(_current.rungs).get(op, ""))


def _library(where: str, library: str) -> str:
    """The library that has the same kernels for the arrays of a backend, "" if there is none."""
    from . import own

    device = own.device_of(library)
    if (device, where) == ("sim", "cuda") and library in _plugins:
        return _on_cuda(library)
    return library if device == where else ""


@cache
def _on_cuda(library: str) -> str:
    """What was on trial on the simulator, compiled for the device at hand and on trial there."""
    from . import own, trial

    plugin = own.on_cuda(_plugins[library])
    trial.check(plugin)
    return str(plugin.library)


def _select(where: str, choice: Choice, alternatives: list[tuple[str, str, str]]) -> None:
    extension: Any = backend.device(where).table.own
    try:
        rounded = choice.precision if choice.precision in _ROUNDED else ""
        extension.select(choice.isa if where == "cpu" else rounded, alternatives)
    except ValueError as error:
        sentence = str(error)
        for copy, library in _originals.items():
            sentence = sentence.replace(copy, str(library))
        raise ValueError(sentence) from None
    if where == "sim" and choice.sim != _current.sim:
        extension.set_counting(choice.sim == "counted")
        if choice.sim == "counted":
            extension.forget_counted()


@contextmanager
def _named(variable: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        sentence = f"{variable}={os.environ[variable]}: {error}"
        # The command line imports us before it can catch anything; "-m" is python -m baregrad.
        if Path(sys.argv[0]).name in ("baregrad", "-m"):
            print(f"baregrad: {sentence}", file=sys.stderr)
            sys.exit(2)
        raise ValueError(sentence) from None


def use_environment() -> None:
    """Apply BAREGRAD_ISA and BAREGRAD_USE, if they are set."""
    if isa := os.environ.get("BAREGRAD_ISA"):
        with _named("BAREGRAD_ISA"):
            use(isa=isa)
    if spec := os.environ.get("BAREGRAD_USE"):
        with _named("BAREGRAD_USE"):
            use(spec)
