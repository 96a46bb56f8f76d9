"""Writes api.md from the docstrings: python docs/make_api.py."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import baregrad as bg

PAGE = Path(__file__).parent / "api.md"
HEAD = """# The public names

A closed list, written by `docs/make_api.py` from the docstrings and held by a test. Spelling and meaning are PyTorch's, where PyTorch has the
name; where NumPy's differs, `axis=` and `keepdims=` are understood too. What stands below as a function and is also a method of Tensor is
marked with a dot: `bg.exp(x)` is `x.exp()`.

Beside the names there are operators: `+ - * / ** @` and their in-place forms, `== != < <= > >=`, `~ & | ^` of masks, `x[...]` and
`x[...] = y`, and `len`, `iter`, `in`, `float`, `int`, `bool`, `format`, `copy.deepcopy`, `pickle`, `numpy.asarray` and DLPack.

An argument of a wrong type is a TypeError, a number or shape that does not fit a ValueError, an index, dimension or label outside an IndexError,
a file that cannot be read or written an OSError: one sentence says what came and what was expected. What else a name raises, its docstring says.
"""
CONSTANTS = {
    "float32": "The fast type.",
    "float64": "Exact and slow: it runs on the reference kernels.",
    "int64": "Labels and indices.",
    "uint8": "Bytes.",
    "bool": "Masks.",
    "kernels": "The tables: `bg.kernels.cpu.gemm(a, b)` on plain arrays.",
}
ATTRIBUTES = {
    "array": "The raw array: NumPy's on the CPU, the backend's own elsewhere.",
    "grad": "The gradient that backward left, a tensor, or None.",
    "grad_fn": "The op that made it, or None; its `.parents` are what it came from.",
    "requires_grad": "Whether backward leaves a gradient here or below.",
}


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n", 1)[0].replace("|", "\\|")


def functions() -> Iterator[tuple[str, str]]:
    for name in sorted(set(bg.__all__) - {"__version__"}, key=lambda name: (name.lower(), name)):
        thing = getattr(bg, name)
        method = getattr(bg.Tensor, name, None) is thing
        if isinstance(thing, types.ModuleType):
            inside = ", ".join(f"`{n}`" for n in getattr(thing, "__all__", ()))
            text = f"{first_line(thing)} {inside}".rstrip()
        else:
            text = CONSTANTS.get(name) or first_line(thing)
        yield f"bg.{name}", f"{'· ' if method else ''}{text}"


def methods() -> Iterator[tuple[str, str]]:
    names = {name for name in dir(bg.ones(1)) if not name.startswith("_")}
    for name in sorted(names, key=lambda name: (name.lower(), name)):
        thing = inspect.getattr_static(bg.Tensor, name)
        if thing is not getattr(bg, name, None):
            yield f"Tensor.{name}", ATTRIBUTES.get(name) or first_line(thing)


def page() -> str:
    tables = [("Functions and modules", functions()), ("Tensor, besides", methods())]
    parts = [HEAD]
    for title, rows in tables:
        body = "\n".join(f"| `{name}` | {text} |" for name, text in rows)
        parts.append(f"\n## {title}\n\n| name | |\n|---|---|\n{body}\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
