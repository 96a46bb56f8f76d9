"""How a Module prints."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from ..tensor import Tensor

if TYPE_CHECKING:
    from .module import Module


def arguments(module: Module) -> str:
    """The constructor's arguments as the attributes of these names are now, "p=0.5".

    What may be left out by a bool, such as bias, shows as that bool. None and tensors are not
    shown.
    """
    shown = []
    for name, argument in inspect.signature(type(module).__init__).parameters.items():
        value = vars(module).get(name)
        if isinstance(argument.default, bool) and not isinstance(value, bool):
            value = value is not None
        if value is not None and not isinstance(value, Tensor):
            shown.append(f"{name}={value!r}")
    return ", ".join(shown)


def tree(module: Module) -> str:
    """The module and those below it, a line for each."""
    name, children = type(module).__name__, list(module.named_children())
    if not children:
        return f"{name}({module.extra_repr()})"
    below = "\n".join(f"({name}): {child!r}" for name, child in children)
    return f"{name}(\n{below}".replace("\n", "\n  ") + "\n)"
