"""Module: a network or a part of one. Its Parameters and sub-Modules are simply its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import device as find_device
from ..ops.arguments import function, instance, known_dtype
from ..tensor import Tensor, float32, float64
from ..typing import NDArray
from .hooks import Hook, RemovableHandle
from .parameter import Parameter
from .printing import arguments, tree
from .state import IncompatibleKeys, load

if TYPE_CHECKING:
    from typing_extensions import Self


class Module:
    """Base of every network. Set Parameters and Modules as attributes, and define `forward`.

    Attributes are looked up when asked for: nothing but a buffer has to be registered, an attribute
    that is replaced or deleted is simply no longer there.
    """

    training: bool = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A layer of this package remembers its arguments: bg.save writes them down."""
        self = super().__new__(cls)
        if cls.__module__.startswith(f"{__package__}."):
            vars(self)["_arguments"] = (args, kwargs)
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module does; a subclass defines it, else it is a NotImplementedError."""
        raise NotImplementedError(f"[{type(self).__name__}] the class defines no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of `forward`, and then of every hook that returns one."""
        result = self.forward(*args, **kwargs)
        if hooks := vars(self).get("_forward_hooks"):
            for hook in [*hooks.values()]:
                other = hook(self, args, result)
                result = result if other is None else other
        return result

    def register_forward_hook(self, hook: Hook) -> RemovableHandle:
        """After each forward call hook(module, args, result); what it returns replaces the result."""
        return RemovableHandle(vars(self).setdefault("_forward_hooks", {}), hook)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set a tensor of any shape that is not learned, but moves and, if persistent, is saved too."""
        instance("register_buffer", "name", name, str, "text")
        instance("register_buffer", name, tensor, (Tensor, type(None)), "a Tensor")
        vars(self).setdefault("_buffers", {})[name] = persistent
        setattr(self, name, tensor)

    # What it is made of

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names, in the order they were set."""
        return ((name, m) for name, m in list(vars(self).items()) if isinstance(m, Module))

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return iter([module for module in vars(self).values() if isinstance(module, Module)])

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, "", and all below it, parents first, each once under its first name."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module
                prefix = path and f"{path}."
                below = [(prefix + name, child) for name, child in module.named_children()]
                stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents first, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter under its first name, "0.weight": a module's own before its children's."""
        return ((name, t) for name, t in self._each_once() if isinstance(t, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Every buffer under its first name, as named_parameters."""
        return ((name, t) for name, t in self._each_once() if not isinstance(t, Parameter))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every module, children first. Returns self."""
        function("apply", "fn", fn)
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _each_once(self) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        for name, tensor, _ in self._all_names():
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def _all_names(self, prefix: str = "") -> Iterator[tuple[str, Tensor, bool]]:
        """Every Parameter and buffer under each of its names, and whether it is saved."""
        buffers: dict[str, bool] = vars(self).get("_buffers", {})
        for name, value in list(vars(self).items()):
            if isinstance(value, Parameter) or (isinstance(value, Tensor) and name in buffers):
                yield prefix + name, value, buffers.get(name, True)
        for name, module in self.named_children():
            yield from module._all_names(f"{prefix}{name}.")

    # Its state

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules below. Returns self."""
        instance("train", "mode", mode, bool, "a bool")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """`train(False)`: the network is used, not taught."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether backward leaves gradients in the Parameters: False freezes them. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target: str | np.dtype[Any] | type) -> Self:
        """Move Parameters, their gradients and buffers to a device, or floats to a type.

        Returns self. An optimizer made before keeps working: the Parameters stay the same objects.
        """
        if isinstance(target, str):
            find_device(target)  # raises, even where there is no parameter
        elif known_dtype("to", target) not in (float32, float64):
            raise TypeError(f"[to] dtype is {np.dtype(target)}, expected float32 or float64")
        every = [t for _, t in self._each_once() if isinstance(target, str) or t.dtype.kind == "f"]
        for tensor, there in [(tensor, tensor.detach().to(target)) for tensor in every]:
            tensor.array, tensor._version = there.array, there._version
            if tensor.grad is not None:
                tensor.grad = tensor.grad.to(target)
        return self

    def float(self) -> Self:
        """All as float32. Returns self."""
        return self.to(float32)

    def double(self) -> Self:
        """All as float64. Returns self."""
        return self.to(float64)

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of every Parameter and persistent buffer as a NumPy array, by name."""
        return {
            name: np.array(tensor.detach().cpu().numpy(), order="C")
            for name, tensor, persistent in self._all_names()
            if persistent
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy arrays or tensors into the Parameters and buffers of the same names.

        RuntimeError, and nothing is loaded, for wrong shapes and, if `strict`, for missing or
        unexpected names.
        """
        own = {name: tensor for name, tensor, persistent in self._all_names() if persistent}
        return load(own, state_dict, strict)

    # How it prints

    def extra_repr(self) -> str:
        """What to show between the parentheses of `repr`: the constructor's arguments, as they are.

        A Parameter that may be left out shows as True or False; None is not shown.
        """
        return arguments(self)

    def __repr__(self) -> str:
        return tree(self)
