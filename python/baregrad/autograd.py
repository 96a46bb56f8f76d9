"""Reverse-mode automatic differentiation.

A Tensor remembers the Function that made it; `backward` walks from a result to the leaves, each
Function turning the gradient of its output into those of its inputs (lecture 000, slide 26).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .sums import add_into, copy

if TYPE_CHECKING:
    from .tensor import Tensor


class Version:
    """How often the memory of a tensor, shared by its views, was changed in place."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class _Mode(threading.local):
    grad = True


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations are being recorded for backward, in this thread."""
    return _mode.grad


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing for backward inside: `with bg.no_grad():`, or as a decorator."""
    before, _mode.grad = _mode.grad, False
    try:
        yield
    finally:
        _mode.grad = before


class Function:
    """One differentiable op: forward, and below it backward, on raw arrays and with kernels only.

    `forward(*arrays, **options) -> array` may `save` what backward needs.
    `backward(dout) -> tuple` has one gradient per input, or None where `needs_grad` is False.
    """

    hands_on = False  # True where backward returns a view of dout instead of new arrays

    inputs: tuple[Tensor, ...] = ()
    needs_grad: tuple[bool, ...] = ()
    saved: tuple[Any, ...] = ()
    freed = False
    _versions: tuple[tuple[Version, int], ...] = ()  # of the saved tensors, as forward saw them

    def forward(self, *arrays: Any, **options: Any) -> Any:
        """Arrays in, an array out. To be written."""
        raise NotImplementedError

    def backward(self, dout: Any) -> tuple[Any, ...]:
        """The gradient of the output in, one for each input out. To be written."""
        raise NotImplementedError

    def save(self, *arrays: Any) -> None:
        """Keep arrays for backward. To change one in place before that is an error there."""
        self.saved = arrays

    @classmethod
    def apply(cls, *inputs: Tensor, **options: Any) -> Tensor:
        """Run forward on the inputs' arrays; remember this Function if a gradient may be asked."""
        function = cls()
        function.needs_grad = tuple(_mode.grad and t.requires_grad for t in inputs)
        array = function.forward(*(t.data for t in inputs), **options)
        out = inputs[0]._made(array, function if any(function.needs_grad) else None)
        if out.grad_fn is not None:
            function.inputs = inputs
            function._versions = tuple(
                (t._version, t._version.number)
                for t in (*inputs, out)
                if any(t.data is array for array in function.saved)
            )
        return out

    def _recall(self) -> None:
        name = type(self).__name__
        if self.freed:
            raise RuntimeError(
                f"[backward] the graph through {name} was freed by an earlier backward, "
                "expected retain_graph=True there"
            )
        if any(version.number != number for version, number in self._versions):
            raise RuntimeError(
                f"[backward] a tensor that {name} saved was changed in place after forward, "
                "expected the value that forward saw"
            )


def backward(root: Tensor, dout: Any, *, retain_graph: bool, borrowed: bool) -> None:
    """Add d root / d leaf, times dout, to `.grad` of every leaf that requires it.

    Gradients in flight live in a dict of this pass. An array that a Function hands on, or that
    the caller gave, is borrowed: the pass adds only into arrays that were made for it.
    """
    flight: dict[int, tuple[Any, bool]] = {id(root): (dout, not borrowed)}  # gradient, ours?
    for tensor in reversed(_parents_first(root)):
        dout, ours = flight.pop(id(tensor))
        function = tensor.grad_fn
        if function is None:
            before = tensor.grad
            if before is None:
                tensor.grad = tensor._made(dout if ours else copy(dout), None)
            else:
                tensor.grad = tensor._made(add_into(copy(before.data), dout), None)
            continue
        function._recall()
        gradients = function.backward(dout)
        for parent, grad, needed in zip(
            function.inputs, gradients, function.needs_grad, strict=True
        ):
            if not needed:
                continue
            if grad is None or grad.shape != parent.shape:
                raise RuntimeError(
                    f"[backward] {type(function).__name__} gave a gradient of shape "
                    f"{getattr(grad, 'shape', None)} for an input of shape {parent.shape}"
                )
            if id(parent) in flight:
                total, ours = flight[id(parent)]
                flight[id(parent)] = (add_into(total if ours else copy(total), grad), True)
            else:
                once = sum(other is grad for other in gradients) == 1
                flight[id(parent)] = (grad, once and grad is not dout and not function.hands_on)
        if not retain_graph:
            function.saved, function.freed = (), True


def _parents_first(root: Tensor) -> list[Tensor]:
    """The tensors below root that take part in backward, each after those it was made from.

    Iterative: Python's stack would not hold a deep graph.
    """
    order: list[Tensor] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        tensor, parents_done = stack.pop()
        if parents_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.grad_fn is not None:
                function = tensor.grad_fn
                needed = zip(function.inputs, function.needs_grad, strict=True)
                stack.extend((parent, False) for parent, needs in needed if needs)
    return order
