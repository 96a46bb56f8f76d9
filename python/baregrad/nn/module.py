"""Module: a network or a part of one. Its Parameters and sub-Modules are simply its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..backend import device as find_device
from ..tensor import Tensor, as_tensor, float32, float64
from ..typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from typing_extensions import Self


class Parameter(Tensor):
    """A tensor that a Module learns: set as an attribute of one, it is among its parameters."""

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True) -> None:
        super().__init__(as_tensor(data), requires_grad=requires_grad)
        if isinstance(self.data, np.ndarray):  # an optimizer writes to it, row by row
            self.data = np.require(self.data, requirements=["C", "W"])


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of every network. Set Parameters and Modules as attributes, and define `forward`.

    Attributes are looked up when asked for: nothing has to be registered, an attribute that is
    replaced or deleted is simply no longer there.
    """

    training: bool = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A layer of this package remembers its arguments: bg.save writes them down."""
        self = super().__new__(cls)
        if cls.__module__.startswith(f"{__package__}."):
            vars(self)["_arguments"] = (args, kwargs)
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module does; each subclass defines it."""
        raise NotImplementedError(f"[{type(self).__name__}] the class defines no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of `forward`."""
        return self.forward(*args, **kwargs)

    # What it is made of

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names, in the order they were set."""
        return ((name, m) for name, m in list(vars(self).items()) if isinstance(m, Module))

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return (module for _, module in self.named_children())

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents first, each once."""
        seen: set[int] = set()
        stack: list[Module] = [self]
        while stack:
            module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield module
                stack.extend(reversed(list(module.children())))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter under its first name, "0.weight": a module's own before its children's."""
        seen: set[int] = set()
        for name, parameter in self._all_names():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters())

    def _all_names(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """As named_parameters, but a shared Parameter comes under each of its names."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, module in self.named_children():
            yield from module._all_names(f"{prefix}{name}.")

    # Its state

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules below. Returns self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """`train(False)`: the network is used, not taught."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target: str | np.dtype[Any] | type) -> Self:
        """Move every Parameter, and its gradient, to a device or a float type. Returns self.

        An optimizer made before keeps working: the Parameters stay the same objects.
        """
        if isinstance(target, str):
            find_device(target)  # raises, even where there is no parameter
        elif np.dtype(target) not in (float32, float64):
            raise TypeError(f"[to] dtype is {np.dtype(target)}, expected float32 or float64")
        moved = [(parameter, parameter.detach().to(target)) for parameter in self.parameters()]
        for parameter, there in moved:
            parameter.data, parameter._version = there.data, there._version
            if parameter.grad is not None:
                parameter.grad = parameter.grad.to(target)
        return self

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of every Parameter as a NumPy array, by name."""
        return {
            name: np.array(parameter.detach().cpu().numpy(), order="C")
            for name, parameter in self._all_names()
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy arrays or tensors into the Parameters of the same names.

        RuntimeError, and nothing is loaded, for wrong shapes and, if `strict`, for missing or
        unexpected names.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"[load_state_dict] state_dict is a {type(state_dict).__name__}, "
                "expected a mapping from names to arrays"
            )
        own = dict(self._all_names())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        faults = [f"missing {', '.join(missing)}"] if strict and missing else []
        faults += [f"unexpected {', '.join(unexpected)}"] if strict and unexpected else []
        arrays = {name: _array(state_dict[name]) for name in own if name in state_dict}
        faults += [
            f"{name} has shape {array.shape}, expected {own[name].shape}"
            for name, array in arrays.items()
            if array.shape != own[name].shape
        ]
        if faults:
            raise RuntimeError(f"[load_state_dict] {'; '.join(faults)}")
        for name, array in arrays.items():
            parameter = own[name]
            fresh = Tensor(np.array(array, parameter.dtype, order="C")).to(parameter.device)
            parameter.data, parameter._version = fresh.data, fresh._version
        return IncompatibleKeys(missing, unexpected)

    # How it prints

    def extra_repr(self) -> str:
        """The arguments to show between the parentheses of `repr`."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {module!r}" for name, module in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        below = "\n".join(children).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {below}\n)"


def _array(value: Any) -> NDArray:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
