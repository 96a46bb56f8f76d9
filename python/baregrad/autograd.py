"""Reverse-mode automatic differentiation.

A Tensor remembers the Function that made it, and a Function the nodes that its inputs came from:
Functions again, or leaves. `backward` walks from a result to the leaves, each Function turning the
gradient of its output into those of its inputs (lecture 000, slide 26).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from .backend import is_writeable, kernels
from .hints import Missing
from .recording import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .typing import Array, Shape

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = [
    "Function",
    "Variable",
    "Version",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]

Node: TypeAlias = "Function | Tensor"  # a Tensor only where it is a leaf


class Version:
    """What happened in place to the memory of a tensor, shared by its views."""

    number = 0  # of changes
    recorded = 0  # of changes that are part of a graph: earlier views do not know them
    leaf = False  # whether a leaf that requires grad lives here


_numbers = count(1)


class Function:
    """One differentiable op: forward, and below it backward, on raw arrays and with kernels only.

    `forward(*arrays, **options) -> array` may `save` what backward needs; what else it returns, in
    a tuple, has no gradient. `backward(dout) -> tuple` has one gradient per input, or None where
    `needs_grad` is False.
    """

    hands_on = False  # True where backward returns a view of dout instead of new arrays

    parents: tuple[Node | None, ...] = ()
    shapes: tuple[Shape, ...] = ()
    needs_grad: tuple[bool, ...] = ()
    saved: tuple[Any, ...] = ()
    freed = False
    _number = 0  # greater than those of its parents; that of leaves is 0
    _hooks: list[Callable[[Array], Array]] | None = None
    _versions: tuple[tuple[Version, int], ...] = ()  # of the saved tensors, as forward saw them
    _owns_dout = False  # whether nobody else needs it any more

    def forward(self, *arrays: Any, **options: Any) -> Any:
        """Arrays in, an array out. To be written."""
        raise NotImplementedError

    def backward(self, dout: Any) -> tuple[Any, ...]:
        """The gradient of the output in, one for each input out. To be written."""
        raise NotImplementedError

    def save(self, *arrays: Any) -> None:
        """Keep arrays for backward. To change one in place before that is an error there."""
        self.saved = arrays

    def room(self, dout: Any) -> Any:
        """For backward: dout, if a gradient may be written over it, as nobody else needs it, or None."""
        return dout if self._owns_dout and is_writeable(dout) else None

    @classmethod
    def apply(cls, *inputs: Tensor, **options: Any) -> Tensor:
        """Run forward on the inputs, of any shape; remember this Function if a gradient may be asked."""
        function = cls()
        return function._gives(inputs, function.forward(*function._over(inputs), **options))

    @classmethod
    def apply_all(cls, *inputs: Tensor, **options: Any) -> tuple[Tensor, ...]:
        """As apply, for a forward of several arrays of any shape; only the first has a gradient."""
        function = cls()
        array, *others = function.forward(*function._over(inputs), **options)
        return function._gives(inputs, array), *[inputs[0]._made(x, None) for x in others]

    def _over(self, inputs: tuple[Tensor, ...]) -> list[Array]:
        recording, arrays, needs_grad = is_grad_enabled(), [], []
        for tensor in inputs:
            if recording and tensor._history != tensor._version.recorded:
                tensor._check_history(type(self).__name__)
            arrays.append(tensor.array)
            needs_grad.append(recording and tensor.requires_grad)
        self.needs_grad = tuple(needs_grad)
        return arrays

    def _gives(self, inputs: tuple[Tensor, ...], array: Array) -> Tensor:
        if True not in self.needs_grad:
            return inputs[0]._made(array, None)
        out, parents, shapes, versions = inputs[0]._made(array, self), [], [], []
        saved = [*map(id, self.saved)]
        for tensor in inputs:
            parents.append((tensor.grad_fn or tensor) if tensor.requires_grad else None)
            shapes.append(tensor.array.shape)
            if id(tensor.array) in saved:
                versions.append((tensor._version, tensor._version.number))
        if id(array) in saved:
            versions.append((out._version, out._version.number))
        self.parents, self.shapes, self._versions = tuple(parents), tuple(shapes), tuple(versions)
        self._number = next(_numbers)
        return out

    def _recall(self) -> None:
        if self.freed:
            raise RuntimeError(
                f"[backward] the graph through {type(self).__name__} was freed by an earlier "
                "backward, expected retain_graph=True there"
            )
        for version, number in self._versions:
            if version.number != number:
                raise RuntimeError(
                    f"[backward] a tensor that {type(self).__name__} saved was changed in place "
                    "after forward, expected the value that forward saw"
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    next_functions = Missing("next_functions", ".parents, the Functions and leaves it came from,")


def backward(
    roots: Sequence[tuple[Tensor, Array]],
    *,
    retain_graph: bool = False,
    wanted: dict[int, Array] | None = None,
) -> None:
    """Add the sum over roots of d root / d leaf, times dout, to `.grad` of every leaf below them.

    Each dout has the shape of its root. Or, with `wanted`, store the gradients of the nodes whose ids are its keys in it, and nothing
    elsewhere. Gradients in flight live in a dict of this pass. An array that a Function hands on,
    or that the caller gave, is borrowed: the pass adds only into arrays that were made for it.
    """
    flight: dict[int, tuple[Node, Array, bool]] = {}  # what arrived where, and whether it is ours
    waiting: list[int] = []  # the keys of the Functions in flight: the latest has the least

    def arrive(node: Node, grad: Array, ours: bool) -> None:
        key = -node._number or id(node)
        if key in flight:
            _, total, own = flight[key]
            grad, ours = kernels(total).add(total, grad, out=total if own else None), True
        elif key < 0:
            heappush(waiting, key)
        flight[key] = node, grad, ours

    for root, dout in roots:
        arrive(root.grad_fn or root, dout, False)
    while flight:  # whatever was made of the latest node has been here; leaves are behind all
        node, dout, ours = flight.pop(heappop(waiting)) if waiting else flight.popitem()[1]
        for hook in node._hooks or ():
            dout, ours = hook(dout), False
        if wanted is not None and id(node) in wanted:
            wanted[id(node)] = dout if ours else kernels.moving(dout).copy_strided(dout)
            ours = False
        if not isinstance(node, Function):
            if wanted is None:
                node._accumulate(dout, ours)
            continue
        node._recall()
        node._owns_dout = ours
        given = [*map(id, gradients := node.backward(dout)), *([] if ours else [id(dout)])]
        for parent, shape, dx in zip(node.parents, node.shapes, gradients, strict=True):
            if parent is None:
                continue
            if dx is None or dx.shape != shape:
                raise RuntimeError(
                    f"[backward] {type(node).__name__} gave a gradient of shape "
                    f"{getattr(dx, 'shape', None)} for an input of shape {shape}"
                )
            arrive(parent, dx, given.count(id(dx)) == 1 and not node.hands_on)
        if not retain_graph:
            node.saved, node.freed = (), True


from .derivatives import Variable, grad, gradcheck
