"""`bg.autograd.grad`, gradients without touching `.grad`, and `bg.autograd.gradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import autograd
from .ops.arguments import function, number, operand
from .typing import NDArray

if TYPE_CHECKING:
    from .tensor import Tensor


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The derivative of the sum of outputs, times grad_outputs, for each input; no `.grad` changes.

    Each has the shape of its input, grad_outputs those of outputs, 1 for one element. RuntimeError for an input that no output depends on, unless `allow_unused`: then it is None.
    """
    results, sources = _tensors("grad", "outputs", outputs), _tensors("grad", "inputs", inputs)
    upstream = (None,) * len(results) if grad_outputs is None else _tuple(grad_outputs)
    if create_graph:
        raise NotImplementedError("[grad] create_graph=True: no second derivatives here")
    if len(upstream) != len(results):
        raise ValueError(
            f"[grad] there are {len(upstream)} grad_outputs, expected {len(results)}, as outputs"
        )
    for i, source in enumerate(sources):
        if not source.requires_grad:
            raise RuntimeError(f"[grad] inputs[{i}] does not require grad, expected one that does")
    roots = [
        (result, result._upstream("grad", dout))
        for result, dout in zip(results, upstream, strict=True)
    ]
    nodes = [source.grad_fn or source for source in sources]
    wanted: dict[int, Any] = {id(node): None for node in nodes}
    autograd.backward(roots, retain_graph=retain_graph, wanted=wanted)
    for i, node in enumerate(nodes):
        if wanted[id(node)] is None and not allow_unused:
            raise RuntimeError(
                f"[grad] no output depends on inputs[{i}], expected allow_unused=True if so"
            )
    found = [wanted[id(node)] for node in nodes]
    return tuple(
        None if array is None else source._made(array, None)
        for source, array in zip(sources, found, strict=True)
    )


def gradcheck(
    f: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Compare every derivative of f at `inputs`, float64, with central differences of step eps.

    Inputs and result may have any shape; what every element of one does to every element of the
    other is compared.

    Returns True, or raises AssertionError with the first place where they are further apart than
    atol + rtol |difference quotient|.
    """
    sources = _tensors("gradcheck", "inputs", inputs)
    function("gradcheck", "f", f)
    for name, size in (("eps", eps), ("atol", atol), ("rtol", rtol)):
        number("gradcheck", name, size, 0)
    if eps == 0:
        raise ValueError("[gradcheck] eps is 0, expected more than 0")
    for i, x in enumerate(sources):
        if x.requires_grad and x.dtype != np.float64:
            raise TypeError(f"[gradcheck] inputs[{i}] has dtype {x.dtype}, expected float64")
    arrays = [x.detach().cpu().numpy().copy() for x in sources]

    def value() -> NDArray:
        with autograd.no_grad():
            made = (
                x._made(x._backend.from_numpy(array.copy()), None)
                for x, array in zip(sources, arrays, strict=True)
            )
            return np.array(f(*made).cpu().numpy())

    out = operand("gradcheck", "the result of f", f(*sources))
    columns = out.numel()
    for i, (x, array) in enumerate(zip(sources, arrays, strict=True)):
        if not x.requires_grad:
            continue
        numeric = np.zeros((array.size, columns))
        for row, index in enumerate(np.ndindex(array.shape)):
            kept = array[index]
            array[index] = kept + eps
            above = value()
            array[index] = kept - eps
            numeric[row] = ((above - value()) / (2 * eps)).ravel()
            array[index] = kept
        analytic = np.zeros_like(numeric)
        for column in range(columns):
            dout = np.zeros(columns)
            dout[column] = 1
            upstream = out._made(out._backend.from_numpy(dout.reshape(out.shape)), None)
            (dx,) = grad(out, x, upstream, retain_graph=True, allow_unused=True)
            if dx is not None:
                analytic[:, column] = dx.cpu().numpy().ravel()
        wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
        if wrong.any():
            row, column = (int(axis[0]) for axis in np.nonzero(wrong))
            place = tuple(int(k) for k in np.unravel_index(row, array.shape))
            raise AssertionError(
                f"[gradcheck] d output[{column}] / d inputs[{i}]{list(place)} is "
                f"{analytic[row, column]:.6g}, expected about {numeric[row, column]:.6g}"
            )
    return True


def _tensors(op: str, name: str, value: Any) -> tuple[Tensor, ...]:
    return tuple(operand(op, f"{name}[{i}]", x) for i, x in enumerate(_tuple(value)))


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:  # noqa: N802
    """The tensor itself, of any shape: since PyTorch 0.4 it is its own Variable (lecture 004)."""
    tensor = operand("Variable", "data", data)
    return tensor.requires_grad_() if requires_grad else tensor
