"""What is raced: sizes, inputs, cost, and the definition that every result is held to."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import definitions
import numpy as np
from baregrad.cases.window import Windows
from baregrad.typing import NDArray

Shape = tuple[int, ...]


def _last_level() -> int:
    """Bytes of the largest cache."""
    found = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    sizes = [int(path.read_text().strip().removesuffix("K")) << 10 for path in found]
    return max(sizes, default=32 << 20)


LAST_LEVEL = _last_level()
LEARNING_RATE = 1e-4  # of the steps: a loss that explodes would take every error with it
Draw = Callable[[np.random.Generator, int], NDArray]  # that many random values, independent


@dataclass(frozen=True)
class Work:
    """One row of a table.

    `inputs` are fresh in each call; `state` is given once a round, and the calls change it. `check`
    has both and gives for each output the exact values, in float64, and how far off one may be.
    `flops` are those executed: what a window sees of the padding is not. `bytes` is the least that is
    read and written, `fresh` those of it that are written and not read before. A work that is `cold` goes round through so many copies of its
    arrays that none is still in a cache. Of a work with many `rows`, all independent, some are checked.
    """

    name: str
    kind: str  # the function of a contestant that does it
    check: Callable[..., definitions.Checks]
    inputs: dict[str, tuple[Shape, Draw]]
    flops: int
    bytes: int
    fresh: int
    out: Shape = ()  # of a result that is written where the caller says
    options: dict[str, Any] = field(default_factory=dict)
    state: dict[str, tuple[Shape, Draw]] = field(default_factory=dict)
    cold: bool = False
    rows: int = 0
    every_call: bool = False  # the results of all calls are kept and checked
    most: int = 1000  # calls in a round
    small_windows: bool = False  # 3x3, next to each other, over 32 planes or more

    def __str__(self) -> str:
        return self.name

    def told(self) -> dict[str, Any]:
        """What a contestant is told of it."""
        shapes = {name: shape for name, (shape, _) in self.inputs.items()}
        state = {name: shape for name, (shape, _) in self.state.items()}
        arrays = {"inputs": shapes, "state": state, "out": self.out, "options": self.options}
        return {"kind": self.kind, **arrays}

    @property
    def copies(self) -> int:
        """How many copies of its arrays the calls go round through, each with a result of its own."""
        if not self.cold or self.state:
            return 1
        return 2 if self.bytes > 4 * LAST_LEVEL else 1 + math.ceil(2 * LAST_LEVEL / self.bytes)

    @property
    def images(self) -> bool:
        """Whether how images lie in memory makes a difference."""
        return any(len(shape) == 4 for shape, _ in self.inputs.values())


def normal(rng: np.random.Generator, n: int) -> NDArray:
    return rng.standard_normal(n, np.float32)


def wide(rng: np.random.Generator, n: int) -> NDArray:
    return 3 * normal(rng, n)


def below(classes: int) -> Draw:
    return lambda rng, n: rng.integers(classes, size=n)


def he(fan_in: int) -> Draw:
    return lambda rng, n: normal(rng, n) * np.float32(math.sqrt(2 / fan_in))


def gemm(m: int, n: int, k: int) -> Work:
    return Work(
        f"gemm {m} x {n} x {k}",
        "gemm",
        definitions.gemm,
        {"a": ((m, k), normal), "b": ((k, n), normal)},
        flops=2 * m * n * k,
        bytes=4 * (m * k + k * n + m * n),
        fresh=4 * m * n,
        out=(m, n),
    )


def conv2d(windows: Windows, both: bool) -> Work:
    """Forward, or forward and backward with the gradients of all three inputs."""
    (kh, _), (stride, _), (padding, _) = windows.kernel, windows.stride, windows.padding
    x, w = windows.image, (windows.o, windows.c, *windows.kernel)
    out = (windows.n, windows.o, *windows.output)
    inputs = {"x": (x, normal), "w": (w, normal), "bias": ((windows.o,), normal)}
    pixels, weights, outputs = map(math.prod, (x, w, out))
    name = f"{windows.n}x{windows.c}x{windows.h}x{windows.w} -> {windows.o}"
    size = f"conv {kh}x{kh}{f'/{stride}' * (stride > 1)} {name}"
    taps = math.prod(map(_taps, (windows.h, windows.w), windows.output, *_axes(windows)))
    flops = 2 * windows.n * windows.o * windows.c * taps
    options = {"stride": stride, "padding": padding}
    small = kh == 3 and stride == 1 and windows.c >= 32
    if not both:
        check = functools.partial(definitions.conv2d_forward, windows=windows)
        moved, fresh = 4 * (pixels + weights + outputs), 4 * outputs
        return Work(
            *(size, "conv2d_forward", check, inputs, flops, moved, fresh, out, options),
            small_windows=small,
        )
    check = functools.partial(definitions.conv2d_both, windows=windows)
    inputs["dout"] = (out, normal)
    moved, fresh = 8 * (pixels + weights + outputs), 4 * (pixels + weights + outputs)
    name = f"{size}, both ways"
    return Work(
        *(name, "conv2d_both", check, inputs, 3 * flops, moved, fresh, (), options),
        small_windows=small,
    )


def _axes(windows: Windows) -> tuple[Shape, Shape, Shape]:
    return windows.kernel, windows.stride, windows.padding


def _taps(n: int, outputs: int, k: int, stride: int, padding: int) -> int:
    """Along an axis, how many pairs of an output and a tap inside the image there are."""
    return sum(0 <= i * stride + j - padding < n for i in range(outputs) for j in range(k))


def maxpool2d(n: int, c: int, h: int, w: int) -> Work:
    pixels = n * c * h * w
    return Work(
        f"max-pool 2x2 {n}x{c}x{h}x{w}, both ways",
        "maxpool2d_both",
        definitions.maxpool2d_both,
        {"x": ((n, c, h, w), normal), "dout": ((n, c, h // 2, w // 2), normal)},
        flops=pixels,
        bytes=4 * (2 * pixels + pixels // 2),
        fresh=4 * (pixels + pixels // 4),
        options={"window": 2},
        cold=True,
        rows=4,
    )


def activation(kind: str, n: int) -> Work:
    check = functools.partial(definitions.activation, kind=kind)
    size = f"{n >> 20} Mi" if n >> 20 else f"{n}"
    inputs = {"x": ((n,), wide)}
    return Work(f"{kind} {size}", kind, check, inputs, n, 8 * n, 4 * n, cold=True, rows=1 << 18)


def softmax_xent(n: int, c: int) -> Work:
    return Work(
        f"softmax-CE {n} x {c}, both ways",
        "softmax_xent_both",
        definitions.softmax_xent_both,
        {"logits": ((n, c), wide), "labels": ((n,), below(c))},
        flops=5 * n * c,
        bytes=8 * n * c,
        fresh=4 * n * c,
        cold=n * c > 1 << 20,
    )


def adam(tensors: int, length: int) -> Work:
    n = tensors * length
    return Work(
        f"Adam {tensors} x {length >> 20} Mi",
        "adam_steps",
        functools.partial(definitions.adam_steps, lr=2**-7),
        {"grads": ((n,), normal)},
        flops=15 * n,
        bytes=28 * n,
        fresh=0,
        options={"tensors": tensors, "lr": 2**-7},
        state={"params": ((n,), normal)},
        cold=True,
        rows=1 << 18,
    )


def step(kind: str, x: Shape, layers: dict[str, Shape], flops: int, most: int) -> Work:
    """A training step with Adam on a new batch each: weights and biases (o,) of `layers`."""
    state: dict[str, tuple[Shape, Draw]] = {}
    for name, shape in layers.items():
        state[f"{name}_weight"] = (shape, he(math.prod(shape[1:])))
        state[f"{name}_bias"] = (shape[:1], lambda rng, n: normal(rng, n) * np.float32(0.1))
    size = sum(math.prod(shape) for shape, _ in state.values())
    return Work(
        f"{kind.removesuffix('_step').upper()} step, batch {x[0]}",
        kind,
        functools.partial(definitions.steps, kind=kind, lr=LEARNING_RATE),
        {"x": (x, normal), "labels": (x[:1], below(10))},
        flops=flops,
        bytes=28 * size,  # of Adam alone: what else moves may stay in a cache
        fresh=0,
        options={"lr": LEARNING_RATE},
        state=state,
        every_call=True,
        most=most,
        small_windows=kind == "cnn_step",
    )


def _convolutions() -> Iterator[Windows]:
    pad = (1, 1)
    for n, c, h, o in ((16, 64, 56, 64), (32, 128, 28, 128), (32, 256, 14, 256), (32, 512, 7, 512)):
        yield Windows(n, c, h, h, (3, 3), o=o, padding=pad)
    yield Windows(128, 32, 14, 14, (3, 3), o=64, padding=pad)
    yield Windows(16, 64, 56, 56, (3, 3), o=128, stride=(2, 2), padding=pad)
    yield Windows(16, 256, 56, 56, (1, 1), o=64)
    yield Windows(16, 3, 224, 224, (7, 7), o=64, stride=(2, 2), padding=(3, 3))
    yield Windows(128, 3, 32, 32, (3, 3), o=32, padding=pad)
    yield Windows(128, 1, 28, 28, (3, 3), o=32, padding=pad)


MLP = {"fc1": (256, 784), "fc2": (128, 256), "fc3": (10, 128)}
CNN = {"conv1": (32, 1, 3, 3), "conv2": (64, 32, 3, 3), "fc1": (128, 3136), "fc2": (10, 128)}
# Forward and both gradients, less that of the input; of a convolution, only taps inside the image.
MLP_FLOPS = 2 * 128 * (3 * (256 * 784 + 128 * 256 + 10 * 128) - 256 * 784)
CNN_FLOPS = (
    2 * 128 * (2 * 32 * 82 * 82 + 3 * 64 * 32 * 40 * 40 + 3 * (128 * 3136 + 10 * 128))
)  # 82 = 3 * 28 - 2 taps along an axis, 40 = 3 * 14 - 2

TABLE = [
    *(gemm(n, n, n) for n in (64, 128, 256, 1024, 2048, 4096)),
    *(gemm(*size) for size in ((128, 256, 784), (128, 128, 256), (128, 10, 128))),
    *(gemm(*size) for size in ((4096, 64, 576), (50176, 64, 147), (64, 576, 12544))),
    *(gemm(m, 4096, 4096) for m in (8, 1)),
    *(conv2d(windows, both) for both in (False, True) for windows in _convolutions()),
    maxpool2d(32, 64, 112, 112),
    *(activation(kind, 32 << 20) for kind in ("relu", "sigmoid", "gelu", "tanh")),
    *(softmax_xent(n, c) for n, c in ((8192, 1000), (128, 10))),
    *(adam(8, length) for length in (1 << 20, 4 << 20)),
    step("mlp_step", (128, 784), MLP, MLP_FLOPS, 40),
    step("cnn_step", (128, 1, 28, 28), CNN, CNN_FLOPS, 5),
]
SIZES = [gemm(n, n, n) for n in range(256, 1057, 32)]  # of the plot of time against size
