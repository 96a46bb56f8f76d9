"""Backends: tables of kernels with one vocabulary, and which table runs the kernels of an array."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import reference
from .hints import an, like
from .native import _cpu
from .typing import Array, NDArray, Shape

Kernel = Callable[..., Any]
_FLOAT32, _FLOAT64, _INT32 = (np.dtype(t) for t in (np.float32, np.float64, np.int32))
_MOVING = ("cast", "copy_strided", "fill")  # kernels that take every type
_LARGE = 1_000_000  # elements from which float64 arithmetic in the reference is worth a warning


class Table:
    """The kernels of one backend, by name: `table.gemm(a, b)`.

    `own` holds them; what it lacks comes from `fallback`. A name that neither knows is an
    AttributeError, one that only the reference knows a NotImplementedError.
    """

    def __init__(self, name: str, own: Any, fallback: Table | None = None) -> None:
        self.name, self.own, self.fallback = name, own, fallback

    def __getattr__(self, kernel: str) -> Kernel:  # only for names not yet found: see setattr
        if kernel.startswith("_") or kernel not in reference.__all__:
            raise AttributeError(
                f"no kernel {kernel!r}, expected {like(kernel, reference.__all__)}"
            )
        source: Any = self.own if self.has(kernel) else self.fallback
        if source is None:
            raise NotImplementedError(f"[{kernel}] no {self.name} kernel yet")
        found: Kernel = getattr(source, kernel)
        setattr(self, kernel, found)
        return found

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *reference.__all__]

    def has(self, kernel: str) -> bool:
        """Whether this backend has a kernel of its own for it."""
        return hasattr(self.own, kernel)

    def __repr__(self) -> str:
        kernels = (k if self.has(k) else f"({k})" for k in reference.__all__)
        in_use = f", {self.own.in_use()}" if hasattr(self.own, "in_use") else ""
        return f"<{self.name} kernels{in_use}: {', '.join(kernels)}>"


@dataclass(frozen=True)
class Backend:
    """Where arrays live: how they come and go, and the kernels that may touch their contents."""

    name: str
    table: Table
    array: type
    from_numpy: Callable[[NDArray], Any] = field(repr=False)
    to_numpy: Callable[[Any], NDArray] = field(repr=False)

    def empty(self, shape: Shape, dtype: Any = np.float32) -> Any:
        """A new array (shape) that holds anything."""
        make = getattr(self.array, "empty", None)
        return make(shape, dtype) if make else self.from_numpy(np.empty(shape, dtype))

    def full(self, shape: Shape, value: float, dtype: Any = np.float32) -> Any:
        """A new array (shape) filled with `value`."""
        if self.array is np.ndarray:
            return np.full(shape, value, dtype) if shape else np.array(value, dtype)
        return self.table.fill(self.empty(shape, dtype), value)

    def broadcast_to(self, x: Array, shape: Shape) -> Any:
        """x (...) seen as an array (shape): axes of length 1, and new ones in front, repeat."""
        return np.broadcast_to(x, shape) if type(x) is np.ndarray else x.broadcast_to(shape)


REFERENCE = Table("reference", reference)
_BY_NAME: dict[str, Backend] = {}
_BY_ARRAY: dict[type, Backend] = {}
_WHY_ABSENT: dict[str, str] = {}
_EXTENSIONS = {  # backends that load at their first use
    "sim": "baregrad._sim",
    "cuda": "baregrad._cuda",
}
_warned_large = False


def register(backend: Backend) -> Backend:
    """Make `backend` a device: its arrays find its kernels, and `.to(backend.name)` finds it."""
    _BY_NAME[backend.name] = _BY_ARRAY[backend.array] = backend
    return backend


def device(name: str) -> Backend:
    """The backend called `name`.

    Raises ValueError for a name that is no device, RuntimeError for one that is not here, with why.
    """
    if isinstance(name, str) and name in _BY_NAME:
        return _BY_NAME[name]
    if checked_name(name) in _EXTENSIONS:
        _load(name)
    if name not in _BY_NAME:
        raise RuntimeError(f"[device] {name} is not available: {_WHY_ABSENT[name]}")
    return _BY_NAME[name]


def checked_name(name: str) -> str:
    """The name, if it is that of a device, here or not."""
    known = sorted({*_BY_NAME, *_EXTENSIONS, *_WHY_ABSENT})
    if not isinstance(name, str):
        raise TypeError(f"[device] device is {an(name)}, expected one of {', '.join(known)}")
    if name not in known:
        raise ValueError(f"[device] device is {str(name)!r}, expected one of {', '.join(known)}")
    return name


def _load(name: str) -> None:
    try:
        extension = importlib.import_module(_EXTENSIONS[name])
    except ImportError as error:
        _WHY_ABSENT[name] = _cpu.CUDA_BUILD if name == "cuda" else str(error)
        return
    if why := getattr(extension, "why_absent", str)():  # there may be no device
        _WHY_ABSENT[name] = why
        return
    table = Table(name, extension)
    register(
        Backend(name, table, extension.Array, extension.Array.from_numpy, extension.Array.numpy)
    )
    from . import choice  # which reads this module

    try:
        choice.apply_to(name)
    except BaseException:  # whoever asks next is told too
        del _BY_NAME[name], _BY_ARRAY[extension.Array]
        raise


def loaded() -> list[str]:
    """The names of the compiled backends in this process."""
    return [name for name in _BY_NAME if name == "cpu" or name in _EXTENSIONS]


def why_absent(name: str) -> str | None:
    """Why the backend called `name` is not here, or None if it is."""
    if name in _EXTENSIONS and name not in _BY_NAME:
        try:
            _load(name)
        except (ValueError, RuntimeError) as error:  # of a kernel of one's own that is in use
            return str(error)
    return _WHY_ABSENT.get(name)


def backend_of(array: Any) -> Backend:
    """The backend whose array this is."""
    try:
        return _BY_ARRAY[type(array)]
    except KeyError:
        raise TypeError(f"{type(array).__name__} is not an array of any backend") from None


def is_contiguous(x: Array) -> bool:
    """Whether the elements of x follow each other in row-major order."""
    if isinstance(x, np.ndarray):
        return x.flags.c_contiguous
    step = x.dtype.itemsize
    for length, stride in zip(reversed(x.shape), reversed(x.strides), strict=True):
        if length != 1 and stride != step:
            return 0 in x.shape
        step *= length
    return True


def is_writeable(x: Array) -> bool:
    """Whether a kernel can change x in place: contiguous, and not read-only."""
    return x.flags.carray if isinstance(x, np.ndarray) else is_contiguous(x)


class _Travelling:
    """The reference for arrays of a device: they travel to NumPy, and the results back."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Kernel:
        if name in _MOVING:
            return getattr(self._backend.table, name)
        kernel, backend = getattr(REFERENCE, name), self._backend

        def host(value: Any) -> Any:
            return backend.to_numpy(value) if type(value) is backend.array else value

        def there(result: Any) -> Any:
            return (
                tuple(map(there, result)) if type(result) is tuple else backend.from_numpy(result)
            )

        def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
            result = kernel(*map(host, args), **{k: host(v) for k, v in kwargs.items()})
            if out is None:
                return there(result)
            first, *others = result if type(result) is tuple else (result,)
            backend.table.copy_strided(there(first), out=out)
            return (out, *map(there, others)) if others else out

        return call


class Kernels:
    """`kernels.cpu.gemm(a, b)`: a backend's table by name. `kernels(x)`: the table for an array."""

    reference = REFERENCE

    def __init__(self) -> None:
        self.active = CPU.table  # what runs float32 NumPy arrays: `use("reference")` swaps it

    def __call__(self, array: Array) -> Table:
        """The table that computes with `array`; unless it holds float32, the reference."""
        if array.dtype is _FLOAT32 or array.dtype == _FLOAT32:
            return self.active if type(array) is np.ndarray else backend_of(array).table
        if type(array) is not np.ndarray:
            return _travelling(backend_of(array).name)
        if array.dtype == _FLOAT64:
            _warn_if_large(array)
        return REFERENCE

    def moving(self, array: Array) -> Table:
        """The table for fill, cast and copy_strided, which take `array` of every type."""
        if type(array) is not np.ndarray:
            return backend_of(array).table
        return REFERENCE if array.dtype == _INT32 else self.active

    def __repr__(self) -> str:
        return "\n".join(repr(device(name).table) for name in loaded())

    def __getattr__(self, name: str) -> Table:
        try:
            return device(name).table
        except (ValueError, RuntimeError) as error:
            raise AttributeError(str(error)) from None


@functools.cache
def _travelling(name: str) -> Table:
    return Table(name, _Travelling(device(name)))


def _warn_if_large(array: NDArray) -> None:
    global _warned_large
    if array.size >= _LARGE and not _warned_large:
        _warned_large = True
        warnings.warn(
            f"float64 runs on the reference kernels, exact and slow, and here has {array.size:,} "
            "elements; float32 is the fast type",
            stacklevel=_outside(),
        )


def _outside() -> int:
    """How many calls up from _warn_if_large the code of the user stands."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals["__name__"].startswith("baregrad."):
        level, frame = level + 1, frame.f_back
    return level


def _identity(array: NDArray) -> NDArray:
    return array


CPU = register(
    Backend("cpu", Table("cpu", _cpu, fallback=REFERENCE), np.ndarray, _identity, _identity)
)
kernels = Kernels()
