"""Arguments of every kernel with something in them of any size n, which cost nothing.

An array of which every element is the same one takes no memory, however large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from baregrad import _cpu

Arguments = dict[str, Any]
Large = list[Callable[[int], Arguments]]


def f(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.float32(1), shape)


def i(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.int64(0), shape)


def b(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.uint8(0), shape)


def t(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.True_, shape)


def to(*shape: int) -> np.ndarray:
    return np.empty(shape, np.float32)


def unary(kind: str) -> dict[str, Large]:
    alpha = {"alpha": 0.5} if kind in ("leaky_relu", "elu") else {}
    return {
        f"{kind}_forward": [lambda n: {"x": f(n), **alpha}, lambda n: {"x": f(2, n), **alpha}],
        f"{kind}_backward": [lambda n: {"saved": f(n), "dout": f(n), **alpha}],
    }


def state() -> np.ndarray:
    return np.array([2**63 - 1, 2**63 - 1])


def conv(n: int = 1, c: int = 1, o: int = 1, **more: Any) -> Arguments:
    return {"x": f(n, c, 3, 3), "w": f(o, c, 2, 2), **more}


def conv_input(**more: Any) -> Arguments:
    return {"dout": f(1, 1, 2, 2), "w": f(1, 1, 2, 2), "shape": (1, 1, 3, 3), **more}


def conv_weight(**more: Any) -> Arguments:
    return {"x": f(1, 1, 3, 3), "dout": f(1, 1, 2, 2), "kernel": (2, 2), **more}


def cells(**more: Any) -> Arguments:
    return {"x": f(1, 1, 3, 3), "kernel": (2, 2), **more}


def columns(**more: Any) -> Arguments:
    return {"columns": f(1, 4, 4), "shape": (1, 1, 3, 3), "kernel": (2, 2), **more}


def pool(**more: Any) -> Arguments:
    return cells(stride=(1, 1)) | more


def pool_back(**more: Any) -> Arguments:
    return {"dout": f(1, 1, 2, 2), "shape": (1, 1, 3, 3), "kernel": (2, 2), "stride": (1, 1)} | more


def places(**more: Any) -> Arguments:
    return {"places": b(1, 1, 2, 2), **pool_back(**more)}


def norm(n: int, c: int, s: int) -> Arguments:
    return {"x": f(n, c, s), "dout": f(n, c, s), "weight": f(c), "mean": f(c), "var": f(c)}


def layer(n: int, d: int) -> Arguments:
    return {"x": f(n, d), "dout": f(n, d), "weight": f(d), "mean": f(n), "r": f(n)}


def steps(n: int, *names: str) -> Arguments:
    return {name: [to(3)] for name in names} | {"params": [f(n)], "learning_rate": f(1)}


def sizes(make: Callable[..., Arguments], *names: str) -> Large:
    """Each of these pairs with its first, its second and both of size n."""

    def case(name: str, first: bool, second: bool) -> Callable[[int], Arguments]:
        return lambda n: make(**{name: (n if first else 1, n if second else 1)})

    ways = [(True, False), (False, True), (True, True)]
    return [case(name, *way) for name in names for way in ways]


# kernel -> arguments with something of size n
PAIRS: Large = [
    lambda n: {"a": f(n), "b": f()},
    lambda n: {"a": f(), "b": f(2, n)},
    lambda n: {"a": f(n, 1), "b": f(1, n)},
]
ROWS: Large = [lambda n: {"x": f(n, 1)}, lambda n: {"x": f(2, n)}]
ROWS_BACK: Large = [
    lambda n: {"saved": f(n, 1), "dout": f(n, 1)},
    lambda n: {"saved": f(2, n), "dout": f(2, n)},
]
REDUCE: Large = [
    lambda n: {"x": f(n, 2), "axes": (1,)},
    lambda n: {"x": f(2, n), "axes": (0,)},
    lambda n: {"x": f(n), "axes": ()},
    lambda n: {"x": f(2, 2), "axes": (n,)},
]
PLACE: Large = [
    lambda n: {"x": f(n, 2), "axis": 1},
    lambda n: {"x": f(2, n), "axis": 0},
    lambda n: {"x": f(2, 2), "axis": n},
]
# fmt: off
LARGE: dict[str, Large] = {
    **{kernel: large for kind in _cpu.UNARY for kernel, large in unary(kind).items()},
    **dict.fromkeys((*_cpu.BINARY, *_cpu.COMPARE), PAIRS),
    **dict.fromkeys(("softmax_forward", "log_softmax_forward"), ROWS),
    **dict.fromkeys(("softmax_backward", "log_softmax_backward"), ROWS_BACK),
    **dict.fromkeys(("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_var"), REDUCE),
    **dict.fromkeys(("argmax", "argmin"), PLACE),
    "gemm": [
        lambda n: {"a": f(n, 1), "b": f(1, 2)},
        lambda n: {"a": f(2, 1), "b": f(1, n)},
        lambda n: {"a": f(n, 3), "b": f(3, n)},
        lambda n: {"a": f(n, 1, 1), "b": f(n, 1, 1)},
        lambda n: {"a": f(n, 0), "b": f(0, n)},
        lambda n: {"a": f(1, 1), "b": f(1, 1), "bias": f(n)},
    ],
    "where": [
        lambda n: {"condition": t(n), "a": f(), "b": f()},
        lambda n: {"condition": t(), "a": f(n, 1), "b": f(1, n)},
    ],
    "fill": [lambda n: {"out": f(n), "value": 1.0}],
    "cast": [
        lambda n: {"x": b(n), "dtype": "float64"},
        lambda n: {"x": b(n, 2), "dtype": "bool"},
        lambda n: {"x": f(n), "dtype": "uint8"},
    ],
    "copy_strided": [lambda n: {"x": f(n)}, lambda n: {"x": b(2, n)}],
    "softmax_xent_forward": [
        lambda n: {"logits": f(n, 1), "labels": i(n)},
        lambda n: {"logits": f(2, n), "labels": i(2)},
        lambda n: {"logits": f(1, 2), "labels": i(1), "weight": f(n)},
    ],
    "softmax_xent_backward": [
        lambda n: {"saved": f(n, 1), "dloss": f(n)},
        lambda n: {"saved": f(2, n), "dloss": f(2)},
    ],
    "batch_norm_forward": [
        lambda n: {"x": f(n, 1, 1), "weight": f(1), "bias": f(1)},
        lambda n: {"x": f(1, n, 1), "weight": f(n), "bias": f(n)},
        lambda n: {"x": f(1, 1, n), "weight": f(1), "bias": f(1)},
    ],
    "batch_norm_backward": [lambda n: norm(n, 1, 1), lambda n: norm(1, n, 1), lambda n: norm(1, 1, n)],
    "layer_norm_forward": [
        lambda n: {"x": f(n, 1), "weight": f(1), "bias": f(1)},
        lambda n: {"x": f(0, n), "weight": f(n), "bias": f(n)},
    ],
    "layer_norm_backward": [lambda n: layer(n, 1), lambda n: layer(0, n), lambda n: layer(n, 0)],
    "bias_activation_forward": [
        lambda n: {"x": f(n, 1, 1), "bias": f(1), "activation": "relu"},
        lambda n: {"x": f(1, n, 1), "bias": f(n), "activation": "relu"},
        lambda n: {"x": f(1, 1, n), "bias": f(1), "activation": "tanh"},
    ],
    "bias_activation_backward": [
        lambda n: {"saved": f(n, 1, 1), "dout": f(n, 1, 1), "activation": "relu"},
        lambda n: {"saved": f(0, n, 1), "dout": f(0, n, 1), "activation": "sigmoid"},
    ],
    "gather_rows": [
        lambda n: {"table": f(n, 1), "rows": i(2)},
        lambda n: {"table": f(2, n), "rows": i(2)},
        lambda n: {"table": f(2, 1), "rows": i(n)},
        lambda n: {"table": f(2, 0), "rows": i(n)},
    ],
    "scatter_add_rows": [
        lambda n: {"dout": f(n, 1), "rows": i(n), "out": to(2, 1)},
        lambda n: {"dout": f(1, n), "rows": i(1), "out": f(2, n)},
        lambda n: {"dout": f(1, 1), "rows": i(1), "out": f(n, 1)},
    ],
    "philox_uniform": [lambda n: {"state": state(), "out": f(n)}],
    "philox_normal": [lambda n: {"state": state(), "out": f(n)}],
    "philox_dropout": [lambda n: {"x": f(n), "state": state(), "p": 0.5}],
    "sgd_step": [lambda n: steps(n, "grads", "velocities")],
    "adam_step": [lambda n: {**steps(n, "grads", "ms", "vs"), "step": np.array([1])}],
    "conv2d_forward": [
        lambda n: conv(n=n), lambda n: conv(c=n), lambda n: conv(o=n), lambda n: conv(bias=f(n)),
        lambda n: {"x": f(1, 1, n, 1), "w": f(1, 1, 1, 1)},
        lambda n: {"x": f(1, 1, 3, 3), "w": f(1, 1, n, 2), "padding": (n, 0)},
    ],
    "conv2d_backward_input": [
        lambda n: conv_input(dout=f(n, 1, 2, 2), shape=(n, 1, 3, 3)),
        lambda n: conv_input(dout=f(1, n, 2, 2), w=f(n, 1, 2, 2)),
        lambda n: conv_input(w=f(1, n, 2, 2), shape=(1, n, 3, 3)),
        lambda n: conv_input(dout=f(1, 1, n, 1), w=f(1, 1, 1, 1), shape=(1, 1, n, 1)),
        lambda n: conv_input(dout=f(0, 1, n, 1), w=f(1, 1, 1, 1), shape=(0, 1, n, n)),
    ],
    "conv2d_backward_weight": [
        lambda n: conv_weight(x=f(n, 1, 3, 3), dout=f(n, 1, 2, 2)),
        lambda n: conv_weight(x=f(1, n, 3, 3)),
        lambda n: conv_weight(dout=f(1, n, 2, 2)),
        lambda n: conv_weight(x=f(1, 1, n, 1), dout=f(1, 1, n, 1), kernel=(1, 1)),
    ],
    "im2col": [
        lambda n: cells(x=f(n, 1, 3, 3)), lambda n: cells(x=f(1, n, 3, 3)),
        lambda n: cells(x=f(1, 1, n, 1), kernel=(1, 1)),
    ],
    "col2im": [
        lambda n: columns(columns=f(n, 4, 4), shape=(n, 1, 3, 3)),
        lambda n: columns(columns=f(1, n, 4), shape=(1, n // 4, 3, 3)),
        lambda n: columns(columns=f(1, 1, n), shape=(1, 1, n, 1), kernel=(1, 1)),
        lambda n: columns(columns=f(0, 4, 4), shape=(0, n, n, n)),
    ],
    "maxpool2d_forward": [
        lambda n: pool(x=f(n, 1, 3, 3)), lambda n: pool(x=f(1, n, 3, 3)), lambda n: pool(x=f(1, 1, n, 3)),
    ],
    "maxpool2d_backward": [
        lambda n: places(places=b(n, 1, 2, 2), dout=f(n, 1, 2, 2), shape=(n, 1, 3, 3)),
        lambda n: places(places=b(1, n, 2, 2), dout=f(1, n, 2, 2), shape=(1, n, 3, 3)),
        lambda n: places(shape=(0, n, n, n)),
    ],
    "avgpool2d_forward": [
        lambda n: pool(x=f(n, 1, 3, 3)), lambda n: pool(x=f(1, n, 3, 3)), lambda n: pool(x=f(1, 1, 3, n)),
    ],
    "avgpool2d_backward": [
        lambda n: pool_back(dout=f(n, 1, 2, 2), shape=(n, 1, 3, 3)),
        lambda n: pool_back(dout=f(1, n, 2, 2), shape=(1, n, 3, 3)),
        lambda n: pool_back(shape=(n, 0, n, n)),
    ],
}
WINDOWS: dict[str, Large] = {
    "conv2d_forward": [
        *sizes(conv, "stride", "padding", "dilation"), lambda n: conv(groups=n),
        lambda n: conv(dilation=(n, 1), padding=(n, 1)),
        lambda n: {"x": f(1, 1, 3, 3), "w": f(1, 1, 1, 1), "dilation": (n, n)},
    ],
    "conv2d_backward_input": [
        *sizes(conv_input, "stride", "padding", "dilation"), lambda n: conv_input(groups=n),
        lambda n: conv_input(shape=(1, 1, n, 3)), lambda n: conv_input(shape=(n, n, n, n)),
    ],
    "conv2d_backward_weight": [
        *sizes(conv_weight, "kernel", "stride", "padding", "dilation"), lambda n: conv_weight(groups=n),
    ],
    "im2col": sizes(cells, "kernel", "stride", "padding", "dilation"),
    "col2im": [
        *sizes(columns, "kernel", "stride", "padding", "dilation"), lambda n: columns(shape=(n, 1, 3, 3)),
    ],
    "maxpool2d_forward": [
        *sizes(pool, "kernel", "stride", "padding"), lambda n: pool(kernel=(n, 1), padding=(n // 2, 0)),
    ],
    "maxpool2d_backward": [
        *sizes(places, "kernel", "stride", "padding"), lambda n: places(shape=(n, 1, 3, 3)),
    ],
    "avgpool2d_forward": sizes(pool, "kernel", "stride", "padding"),
    "avgpool2d_backward": [
        *sizes(pool_back, "kernel", "stride", "padding"), lambda n: pool_back(shape=(1, 1, n, 3)),
    ],
}
# Nothing, of which there is much, and what comes of it.
EMPTY: list[tuple[str, Callable[[int], Arguments], Callable[[int], tuple[int, ...]]]] = [
    ("gemm", lambda n: {"a": f(0, n), "b": f(n, 0)}, lambda n: (0, 0)),
    ("gemm", lambda n: {"a": f(n, 0, 1), "b": f(n, 1, 0)}, lambda n: (n, 0, 0)),
    ("relu_forward", lambda n: {"x": f(0, n)}, lambda n: (0, n)),
    ("add", lambda n: {"a": f(n, 0), "b": f(n, 1)}, lambda n: (n, 0)),
    ("where", lambda n: {"condition": t(n, 1), "a": f(n, 0), "b": f()}, lambda n: (n, 0)),
    ("copy_strided", lambda n: {"x": f(n, 0)}, lambda n: (n, 0)),
    ("cast", lambda n: {"x": f(0, n), "dtype": "uint8"}, lambda n: (0, n)),
    ("fill", lambda n: {"out": to(n, 0), "value": 1.0}, lambda n: (n, 0)),
    ("softmax_forward", lambda n: {"x": f(n, 0)}, lambda n: (n, 0)),
    ("softmax_forward", lambda n: {"x": f(0, n)}, lambda n: (0, n)),
    ("softmax_backward", lambda n: {"saved": f(n, 0), "dout": f(n, 0)}, lambda n: (n, 0)),
    ("softmax_xent_backward", lambda n: {"saved": f(0, n), "dloss": f(0)}, lambda n: (0, n)),
    ("bias_activation_forward", lambda n: {"x": f(n, 0, 2), "bias": f(0), "activation": "relu"}, lambda n: (n, 0, 2)),
    ("reduce_sum", lambda n: {"x": f(n, 0), "axes": (0, 1)}, lambda n: ()),
    ("reduce_max", lambda n: {"x": f(0, n), "axes": (1,)}, lambda n: (0,)),
    ("argmax", lambda n: {"x": f(0, n), "axis": 1}, lambda n: (0,)),
    ("gather_rows", lambda n: {"table": f(n, 0), "rows": i(2)}, lambda n: (2, 0)),
    ("scatter_add_rows", lambda n: {"dout": f(2, 0), "rows": i(2), "out": to(n, 0)}, lambda n: (n, 0)),
    ("philox_uniform", lambda n: {"state": state(), "out": to(n, 0)}, lambda n: (n, 0)),
    ("conv2d_forward", lambda n: conv(n=n, c=0, o=0), lambda n: (n, 0, 2, 2)),
    ("conv2d_forward", lambda n: conv(c=0, o=0, groups=n), lambda n: (1, 0, 2, 2)),
    ("conv2d_backward_input", lambda n: {"dout": f(n, 0, 2, 2), "w": f(0, 0, 2, 2), "shape": (n, 0, 3, 3)}, lambda n: (n, 0, 3, 3)),
    ("conv2d_backward_weight", lambda n: conv_weight(x=f(n, 0, 3, 3), dout=f(n, 0, 2, 2)), lambda n: (0, 0, 2, 2)),
    ("im2col", lambda n: cells(x=f(n, 0, 3, 3)), lambda n: (n, 0, 4)),
    ("col2im", lambda n: columns(columns=f(n, 0, 4), shape=(n, 0, 3, 3)), lambda n: (n, 0, 3, 3)),
    ("avgpool2d_forward", lambda n: pool(x=f(n, 0, 3, 3)), lambda n: (n, 0, 2, 2)),
    ("avgpool2d_backward", lambda n: pool_back(dout=f(0, n, 2, 2), shape=(0, n, 3, 3)), lambda n: (0, n, 3, 3)),
]
# fmt: on
