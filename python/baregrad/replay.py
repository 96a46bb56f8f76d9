"""A step of training, and the same recorded once on a device and replayed: CUDA graphs.

A launch costs the host some microseconds, which a small network on a device waits for. A recorded step
is two launches: to the loss, which the host looks at, and from there. What it computes with stays where
it is; the few numbers that come from the host and differ from step to step (`fresh`) are written before
each replay, and what the host keeps count of (`after`) follows it. So a replay does what the step would
do, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .backend import Backend, kernels
from .typing import NDArray, Shape

if TYPE_CHECKING:
    from .nn import Module
    from .optim import Optimizer
    from .tensor import Tensor

_recording: Recording | None = None


def fresh(backend: Backend, shape: Shape, dtype: Any, ask: Callable[[], NDArray]) -> Any:
    """`ask()`, (shape) of dtype, as an array of the backend; what is recorded asks for each replay."""
    if _recording is None:
        return backend.from_numpy(ask())
    return _recording.expect(shape, dtype, ask)


def after(do: Callable[[], Any]) -> None:
    """Do it now; or, if what it belongs to is being recorded, after each replay."""
    if _recording is None:
        do()
    else:
        _recording.afterwards.append(do)


class Recording:
    """What a device does inside `with`: recorded, not done. `replay` does it, with fresh numbers."""

    def __init__(self, backend: Backend, before: Recording | None = None) -> None:
        self._graph: Any = backend.table.own.Graph(before and before._graph)
        self._asked: list[tuple[Any, Callable[[], NDArray]]] = []
        self.afterwards: list[Callable[[], Any]] = []

    def expect(self, shape: Shape, dtype: Any, ask: Callable[[], NDArray]) -> Any:
        """An array that gets `ask()` before each replay."""
        array = self._graph.input(shape, dtype)
        self._asked.append((array, ask))
        return array

    def __enter__(self) -> None:
        global _recording
        self._graph.begin()
        _recording = self

    def __exit__(self, *error: object) -> None:
        global _recording
        _recording = None
        self._graph.cancel() if any(error) else self._graph.end()

    def replay(self) -> None:
        """Do what was recorded."""
        for array, ask in self._asked:
            array.write(ask())
        self._graph.replay()
        for do in self.afterwards:
            do()


class Step:
    """One step of training in two halves: to the loss, and from there to the parameters."""

    def __init__(
        self, model: Module, loss: Callable[..., Tensor], optimizer: Optimizer, clip: float | None
    ) -> None:
        self.model, self.loss, self.optimizer, self.clip = model, loss, optimizer, clip

    def forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (n, ...), labels (n, ...) -> what the model makes of them, and the loss ()."""
        self.optimizer.zero_grad()
        outputs = self.model(inputs)
        self.value = self.loss(outputs, labels)
        return outputs, self.value

    def backward(self) -> None:
        """Move the parameters by the gradients of the last loss."""
        from .nn.utils import clip_grad_norm_

        self.value.backward()
        if self.clip is not None:
            clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()


class _Recorded:
    """The two halves for one shape of batches, and the arrays that they work with."""

    def __init__(self, step: Step, inputs: Tensor, labels: Tensor) -> None:
        self.batch = [inputs.clone(), labels.clone()]
        self.there = Recording(inputs._backend)
        with self.there:
            self.outputs, self.value = step.forward(*self.batch)
        self.back = Recording(inputs._backend, self.there)
        with self.back:
            Step.backward(step)
        self.outputs, self.value = self.outputs.detach(), self.value.detach()
        self.gradients = [(p, p.grad) for p in step.model.parameters()]

    def forward(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        for here, given in zip(self.batch, batch, strict=True):
            kernels.moving(given.array).copy_strided(given.array, out=here.array)
        self.there.replay()
        return self.outputs, self.value

    def backward(self) -> None:
        self.back.replay()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient


class ReplayedStep(Step):
    """The same, recorded at the second batch of a shape and replayed from then on.

    The first is done as it comes, so that all is there that is made once. RuntimeError for a model,
    loss or optimizer that reads a value of the device in the middle of a step.
    """

    def __init__(self, model: Module, *others: Any) -> None:
        super().__init__(model, *others)
        if any(parameter.device == "cpu" for parameter in model.parameters()):
            raise ValueError("[fit] graph is True and the model on cpu, expected it on cuda or sim")
        self._seen: dict[Any, _Recorded | None] = {}  # by shapes; None at first
        self._options: Any = None
        self._last: _Recorded | None = None

    def forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """As Step; the tensors are overwritten by the next batch of this shape."""
        options = [
            {name: value for name, value in group.items() if name not in ("params", "lr")}
            for group in self.optimizer.param_groups
        ]
        if options != self._options:  # they are in the graph
            self._seen, self._options = {}, options
        key = (inputs.shape, inputs.dtype, labels.shape, labels.dtype)
        if key not in self._seen:
            self._seen[key] = self._last = None
            return super().forward(inputs, labels)
        self._last = self._seen[key] = self._seen[key] or self._record(inputs, labels)
        return self._last.forward(inputs, labels)

    def backward(self) -> None:
        """As Step."""
        self._last.backward() if self._last else super().backward()

    def _record(self, inputs: Tensor, labels: Tensor) -> _Recorded:
        try:
            return _Recorded(Step(self.model, self.loss, self.optimizer, self.clip), inputs, labels)
        except RuntimeError as error:
            raise RuntimeError(
                f"[fit] graph is True, but the step cannot be recorded: {error}"
            ) from error
