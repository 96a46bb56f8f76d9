from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

UNARY: tuple[str, ...]

def gemm(
    a: Floats,
    b: Floats,
    *,
    bias: Floats | None = None,
    alpha: float = 1.0,
    beta: float = 0.0,
    out: Floats | None = None,
) -> Floats: ...
def relu_forward(x: Floats, *, out: Floats | None = None) -> Floats: ...
def relu_backward(saved: Floats, dout: Floats, *, out: Floats | None = None) -> Floats: ...
def tanh_forward(x: Floats, *, out: Floats | None = None) -> Floats: ...
def tanh_backward(saved: Floats, dout: Floats, *, out: Floats | None = None) -> Floats: ...
def softmax_xent_forward(
    logits: Floats, labels: npt.NDArray[Any], weight: Floats | None = None
) -> tuple[Floats, Floats]: ...
def softmax_xent_backward(saved: Floats, dloss: Floats, *, out: Floats | None = None) -> Floats: ...
def adam_step(
    param: Floats,
    grad: Floats,
    m: Floats,
    v: Floats,
    learning_rate: Floats,
    step: npt.NDArray[np.int64],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> None: ...
def conv2d_forward(
    x: Floats,
    w: Floats,
    bias: Floats | None = None,
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    out: Floats | None = None,
) -> Floats: ...
def conv2d_backward_input(
    dout: Floats,
    w: Floats,
    shape: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Floats: ...
def conv2d_backward_weight(
    x: Floats,
    dout: Floats,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Floats: ...
def im2col(
    x: Floats,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> Floats: ...
def col2im(
    columns: Floats,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> Floats: ...
def maxpool2d_forward(
    x: Floats,
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
    out: Floats | None = None,
) -> tuple[Floats, npt.NDArray[np.uint8]]: ...
def maxpool2d_backward(
    places: npt.NDArray[np.uint8],
    dout: Floats,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
) -> Floats: ...
def avgpool2d_forward(
    x: Floats,
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
    out: Floats | None = None,
) -> Floats: ...
def avgpool2d_backward(
    dout: Floats,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
) -> Floats: ...
def available() -> list[str]: ...
def in_use() -> str: ...
def select(name: str, alternatives: Sequence[tuple[str, str, str]]) -> None: ...
def profile_start() -> None: ...
def profile_stop() -> list[tuple[str, int, int]]: ...
def get_num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...
def thread_reason() -> str: ...
def thread_runtime() -> str: ...
def compiler() -> str: ...
def pool() -> dict[str, int]: ...
def trim_pool() -> None: ...
def measure_fma(seconds: float = 0.3) -> float: ...
def measure_copy(seconds: float = 0.3, bytes: int = ...) -> float: ...
