"""Every public name: those of docs/api.md, and what is in the modules and classes that it lists."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import baregrad as bg

MODULES = (
    "autograd", "cuda", "data", "keras", "nn", "nn.functional", "nn.init", "nn.utils", "optim",
    "optim.lr_scheduler", "train", "utils.data",
)  # fmt: skip
# Modules without a list of their own: what they define, or hand on from these.
_HANDED_ON = ("baregrad.nn.losses", "baregrad.ops.")


def _inside(module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """The names of a module: its __all__, or what it defines."""
    if hasattr(module, "__all__"):
        yield from ((name, getattr(module, name)) for name in module.__all__)
        return
    for name, thing in vars(module).items():
        home = getattr(thing, "__module__", "")
        ours = home == module.__name__ or home.startswith(_HANDED_ON)
        if callable(thing) and not name.startswith("_") and ours and "arguments" not in home:
            yield name, thing


def _methods(path: str, kind: type) -> Iterator[tuple[str, Any]]:
    """What a class of ours has, its bases' included."""
    for name in dir(kind):
        thing = inspect.getattr_static(kind, name)
        home = getattr(getattr(thing, "__func__", thing), "__module__", None) or ""
        if not name.startswith("_") and home.startswith("baregrad"):
            yield f"{path}.{name}", getattr(thing, "__func__", thing)


def everything() -> dict[str, Any]:
    """Public callables by their names, "bg.exp"; what is reached by several, once."""
    found: dict[str, Any] = {}
    for name in bg.__all__:
        found[f"bg.{name}"] = getattr(bg, name)
    for module in MODULES:
        found |= {f"{module}.{n}": t for n, t in _inside(import_module(f"baregrad.{module}"))}
    classes = {path: thing for path, thing in found.items() if inspect.isclass(thing)}
    for path in sorted(classes, key=lambda path: len(classes[path].__mro__)):  # bases first
        found |= _methods(path, classes[path])
    once: dict[int, str] = {}
    for path, thing in found.items():
        if inspect.isclass(thing) or (inspect.isfunction(thing) and thing.__name__ != "<lambda>"):
            once.setdefault(id(thing), path)
    return {path: found[path] for path in once.values()}


def parameters(thing: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a caller gives it."""
    found = list(inspect.signature(thing).parameters.values())
    return [p for p in found if p.name not in ("self", "cls")]
