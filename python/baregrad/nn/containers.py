"""Modules made of Modules."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, overload

from ..ops.arguments import instance, several
from .activation import ReLU, Sigmoid, Tanh
from .layers import Conv2d, Linear
from .module import Module

if TYPE_CHECKING:
    from typing_extensions import Self

# What runs as one, a product and what follows it, by the very class: a subclass may do something else.
_PRODUCTS: frozenset[type] = frozenset({Linear, Conv2d})
_FUSED: dict[type, str] = {ReLU: "relu", Sigmoid: "sigmoid", Tanh: "tanh"}


class _Sequence(Module):
    """What Sequential and ModuleList have in common: modules in order, named by their places."""

    def append(self, module: Module) -> Self:
        """One more at the end. Returns self."""
        names = (str(n) for n in itertools.count(len(self)))
        _set(self, next(name for name in names if name not in vars(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module:
        if not isinstance(index, slice):
            return list(self)[index]
        part: Module = Sequential() if isinstance(self, Sequential) else ModuleList()
        for name, module in list(self.named_children())[index]:
            _set(part, name, module)
        return part

    def __setitem__(self, index: int, module: Module) -> None:
        _set(self, list(self.named_children())[index][0], module)


class Sequential(_Sequence):
    """Modules one after another: `Sequential(Linear(64, 32), ReLU(), Linear(32, 10))`.

    They are named by their places, or by the keys of a dict given instead.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Iterable[tuple[str, Any]] = modules[0].items()
        else:
            named = ((str(index), module) for index, module in enumerate(modules))
        for name, module in named:
            _set(self, name, module)

    def forward(self, input: Any) -> Any:
        """The output of each module is the input of the next.

        Linear or Conv2d and the ReLU, Sigmoid or Tanh after it run as one, if nobody looks between.
        """
        modules = iter([*self.children(), None])
        module = next(modules)
        while module is not None:
            following = next(modules)
            activation = _FUSED.get(type(following)) if type(module) in _PRODUCTS else None
            if activation and _is_plain(module) and _is_plain(following):
                input = module(input, activation=activation)
                following = next(modules)
            else:
                input = module(input)
            module = following
        return input


def _is_plain(module: Any) -> bool:
    """Whether it has no hooks and no forward of its own."""
    return not vars(module).get("_forward_hooks") and "forward" not in vars(module)


class ModuleList(_Sequence):
    """Modules in a list. It has no forward: its owner calls them as it likes."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def extend(self, modules: Iterable[Module]) -> Self:
        """More at the end. Returns self."""
        for module in several(type(self).__name__, "modules", modules):
            self.append(module)
        return self


def _set(owner: Module, name: str, module: Module) -> None:
    """Make `module` a child of `owner`, under a name that is not taken by something else."""
    kind = type(owner).__name__
    instance(kind, f"modules[{name}]", module, Module, "a Module")
    taken = hasattr(owner, name) and not isinstance(vars(owner).get(name), Module)
    if taken or "." in name:
        raise ValueError(
            f"[{kind}] a module is named {name!r}, expected another name without a dot"
        )
    setattr(owner, name, module)
