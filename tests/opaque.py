"""A device whose arrays show their contents to kernels alone.

It is the CPU's, behind an ndarray that refuses ufuncs, NumPy functions and every index that is not
a view. What runs on it touches arrays only through kernels and views, and so runs on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from baregrad.backend import CPU, Backend, Table, register


class Opaque(np.ndarray):
    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("only kernels touch the contents of an array: a ufunc did")

    def __array_function__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("only kernels touch the contents of an array: a NumPy function did")

    def __getitem__(self, index: Any) -> Any:
        allowed = (int, slice, type(None), type(...))
        if not (isinstance(index, tuple) and all(type(part) in allowed for part in index)):
            raise TypeError("only kernels touch the contents of an array: an index did")
        if ... not in index and sum(type(part) is int for part in index) == self.ndim:
            raise TypeError("an index that gives a scalar is no view: end it with ...")
        return super().__getitem__(index)

    def __setitem__(self, *_: Any) -> None:
        raise TypeError("only kernels touch the contents of an array: an assignment did")

    def __iter__(self) -> Any:
        raise TypeError("only kernels touch the contents of an array: iteration did")

    def broadcast_to(self, shape: tuple[int, ...]) -> Any:
        return np.broadcast_to(self.view(np.ndarray), shape).view(Opaque)


def hide(array: np.ndarray) -> Any:
    return np.array(array).view(Opaque)


def show(array: Any) -> np.ndarray:
    assert isinstance(array, Opaque), f"{type(array).__name__} came to the opaque device"
    return array.view(np.ndarray)


class OpaqueKernels:
    def __getattr__(self, name: str) -> Any:
        kernel = getattr(CPU.table, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            def bare(value: Any) -> Any:
                if isinstance(value, list):
                    return [bare(item) for item in value]
                return show(value) if isinstance(value, np.ndarray) else value

            result = kernel(*map(bare, args), **{k: bare(v) for k, v in kwargs.items()})
            out, several = kwargs.get("out"), isinstance(result, tuple)
            results = [
                r if r is None else r.view(Opaque) for r in (result if several else [result])
            ]
            if out is not None:
                results[0] = out
            return tuple(results) if several else results[0]

        return call


def install() -> Backend:
    return register(Backend("opaque", Table("opaque", OpaqueKernels()), Opaque, hide, show))
