"""What every optimizer does: groups of parameters, what it remembers of each, and its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..backend import backend_of, is_contiguous, kernels
from ..ops.arguments import function, instance, number, several
from ..replay import after, fresh
from ..tensor import Tensor
from ..typing import Array
from ..uninterrupted import Uninterrupted

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group]
Arrays: TypeAlias = list[Array]
Moving: TypeAlias = tuple[Tensor, dict[str, Any]]  # a parameter, what is remembered of it


class Optimizer:
    """Base of every optimizer. `params` are Tensors, or dicts of "params" and options of their own.

    `param_groups` holds those dicts, every option filled in: change one, as in
    `param_groups[0]["lr"] = 0.1`, and the next step uses it. A subclass says in `_kept` what it
    remembers of a parameter, and in `_move` moves those of one backend, dtype and number of steps
    by one kernel call. ValueError for options out of range, TypeError for what is no tensor.
    """

    counts_steps: ClassVar[bool] = False  # whether a step depends on how many there were
    at_least_zero: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")
    fixed: ClassVar[dict[str, Any]] = {"maximize": False}  # options of PyTorch's, not offered

    def __init__(self, params: Params, defaults: Group) -> None:
        self._name = type(self).__name__
        self.defaults, self._tag = defaults, f"[{self._name}]"
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{self._tag} params is a Tensor, expected an iterable of Tensors")
        found = several(self._name, "params", params)
        if not found:
            raise ValueError(f"{self._tag} params is empty, expected at least one parameter")
        for group in found if isinstance(found[0], dict) else [{"params": found}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Take in more parameters: {"params": ...} and the options in which they differ."""
        wanted, op = "a dict with 'params'", self._name
        if "params" not in instance(op, "a group", param_group, dict, wanted):
            raise ValueError(f"{self._tag} a group has no 'params', expected some")
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else several(op, "params", params)
        group = {**self.defaults, **param_group, "params": params}
        for index, param in enumerate(params):
            name = f"params[{index}]"
            if not instance(op, name, param, Tensor, "a Tensor").is_leaf:
                raise ValueError(f"{self._tag} an op made {name}, expected a leaf")
        every = [*self._params(), *params]
        if len(set(every)) < len(every):
            raise ValueError(f"{self._tag} params has the same parameter twice, expected each once")
        self._check(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: every `.grad` becomes None, or zeros."""
        for param in self._params():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                zeros = backend_of(param.array).full(param.shape, 0.0, param.dtype)
                param.grad = Tensor._made(zeros, None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; Ctrl-C waits. Each counts its own steps.

        `closure`, if given, is called first, to compute the gradients; its loss is returned.
        """
        loss = None if closure is None else function("step", "closure", closure)()
        for group in self.param_groups:
            self._check(group)  # all, before any is changed
        with Uninterrupted():
            for group in self.param_groups:
                self._step(group)
        return loss

    def _step(self, group: Group) -> None:
        kept = self._kept(group)
        alike: dict[Any, list[Moving]] = {}
        for param in group["params"]:
            if param.grad is not None:
                state = self._settled(param, kept)
                kind = type(param.array), param.array.dtype, state.get("step")
                alike.setdefault(kind, []).append((param, state))
        for moving in alike.values():
            moved = [_contiguous(param.array) for param, _ in moving]
            grads = [param.grad.array for param, _ in moving if param.grad is not None]
            remembered = ([state[name] for _, state in moving] for name in kept)
            numbers = self._numbers(group, moved[0], moving[0][1])
            self._move(group, numbers, moved, grads, *remembered)
            for data, (param, _) in zip(moved, moving, strict=True):
                if data is not param.array:
                    kernels.moving(data).copy_strided(data, out=param.array)
            after(partial(self._moved, moving))

    def _numbers(self, group: Group, data: Array, state: dict[str, Any]) -> Arrays:
        """What changes from step to step: the rate (1,), and which step it is (1,) if that counts."""
        put = partial(fresh, backend_of(data), (1,))
        rate = put(data.dtype, lambda: np.array([group["lr"]], data.dtype))
        step = partial(put, np.int64, lambda: np.array([state.get("step", 0) + 1]))
        return [rate, step()] if self.counts_steps else [rate]

    def _moved(self, moving: list[Moving]) -> None:
        """Keep what is to be remembered of them, one step later."""
        for param, state in moving:
            if self.counts_steps:
                state["step"] = state.get("step", 0) + 1
            if state:
                self.state[param] = state
            param._version.number += 1

    def state_dict(self) -> dict[str, Any]:
        """A copy of its options and of what it remembers, laid out as PyTorch's, in NumPy arrays."""
        number = {param: index for index, param in enumerate(self._params())}
        state = {
            index: {name: _numpy(value) for name, value in self.state[param].items()}
            for param, index in number.items()
            if param in self.state
        }
        groups = [
            {**group, "params": [number[param] for param in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of such an optimizer, here or in PyTorch, returned.

        ValueError, and nothing is loaded, if parameters differ in number or shape or an option
        asks for what is not offered here.
        """
        instance("load_state_dict", "state_dict", state_dict, Mapping, "a mapping")
        if not {"state", "param_groups"} <= {*state_dict}:
            raise ValueError("[load_state_dict] state_dict lacks 'state' or 'param_groups'")
        saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
        here, there = (
            " + ".join(str(len(group["params"])) for group in groups)
            for groups in (self.param_groups, saved_groups)
        )
        if here != there:
            raise ValueError(
                f"[load_state_dict] the state is of {there} parameters, expected {here}"
            )
        groups: list[Group] = []
        numbers: dict[Any, Tensor] = {}
        for own, saved in zip(self.param_groups, saved_groups, strict=True):
            for name, only in self.fixed.items():
                if saved.get(name, only) != only:
                    raise ValueError(f"[load_state_dict] {name} is {saved[name]}, expected {only}")
            numbers |= dict(zip(saved["params"], own["params"], strict=True))
            taken = {name: saved[name] for name in {*own, "initial_lr"} if name in saved}
            groups.append({**own, **taken, "params": own["params"]})
            self._check(groups[-1])
        state = {numbers[i]: _loaded(i, numbers[i], saved) for i, saved in saved_state.items()}
        for group in groups:
            known = {"step", *self._kept(group)}
            for param in group["params"]:
                if others := set(state.get(param, {})) - known:
                    raise ValueError(
                        f"[load_state_dict] the state remembers {', '.join(sorted(others))}, "
                        f"expected that of {type(self).__name__}: {', '.join(sorted(known))}"
                    )
        self.param_groups[:], self.state = groups, state

    def _kept(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays that it remembers of a parameter, each 0 at first."""
        raise NotImplementedError

    def _move(
        self, group: Group, numbers: Arrays, params: Arrays, grads: Arrays, *kept: Arrays
    ) -> None:
        """One kernel call: change params and what is kept, in place, by rate (1,) and step (1,)."""
        raise NotImplementedError

    def _check(self, group: Group) -> None:
        """ValueError for an option out of range."""
        for name in self.at_least_zero:
            if not 0 <= number(self._name, name, group[name]) < float("inf"):
                raise ValueError(
                    f"{self._tag} {name} is {group[name]}, expected a finite number of at least 0"
                )

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def _settled(self, param: Tensor, kept: tuple[str, ...]) -> dict[str, Any]:
        """What is remembered of it, where it is and of its dtype: it may have moved since."""
        data, state = param.array, self.state.get(param, {})
        for name in kept:
            value = state.get(name)
            if value is None:
                state = {**state, name: backend_of(data).full(data.shape, 0.0, data.dtype)}
            elif type(value) is not type(data) or value.dtype != data.dtype:
                moved = backend_of(data).from_numpy(_numpy(value).astype(data.dtype))
                state = {**state, name: moved}
        return state


def _loaded(index: Any, param: Tensor, saved: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter's saved state: the step as a number, the rest as arrays of its shape."""
    state: dict[str, Any] = {}
    for name, value in saved.items():
        if value is None:
            continue
        state[name] = int(value) if name == "step" else np.asarray(value).copy("C")
        if name != "step" and state[name].shape != param.shape:
            raise ValueError(
                f"[load_state_dict] {name} of parameter {index} has shape "
                f"{state[name].shape}, expected {param.shape}"
            )
    return state


def _contiguous(array: Array) -> Array:
    """The array itself, or a copy that a kernel can change in place."""
    return array if is_contiguous(array) else kernels.moving(array).copy_strided(array)


def _numpy(value: Any) -> Any:
    """A copy of an array as NumPy's; the number of steps as it is."""
    return value if isinstance(value, int) else np.array(backend_of(value).to_numpy(value))
