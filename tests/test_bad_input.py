"""Wrong arguments of kernels: the right exception and the same sentence from every backend."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest


def f(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def adam(**changed: Any) -> dict[str, Any]:
    arguments = {name: f(4) for name in ("param", "grad", "m", "v")}
    return {**arguments, "learning_rate": f(1), "step": np.array([1]), **changed}


def batch_norm(**changed: Any) -> dict[str, Any]:
    channels = {name: f(3) for name in ("weight", "mean", "var")}
    return {"x": f(2, 3, 4), "dout": f(2, 3, 4), **channels, **changed}


def layer_norm(**changed: Any) -> dict[str, Any]:
    arguments = {"x": f(2, 3), "dout": f(2, 3), "weight": f(3), "mean": f(2), "r": f(2)}
    return {**arguments, **changed}


READ_ONLY = f(2, 4)
READ_ONLY.flags.writeable = False

# kernel, arguments, exception, sentence
WRONG: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("gemm", {"a": f(2, 3), "b": f(4, 5)}, ValueError, "b has shape (4, 5), expected (3, n)"),
    ("gemm", {"a": f(2), "b": f(2, 5)}, ValueError, "a has shape (2,), expected (m, k)"),
    ("gemm", {"a": f(2, 3), "b": f(3)}, ValueError, "b has shape (3,), expected (3, n)"),
    ("gemm", {"a": f(2, 3, 4), "b": f(3, 4, 5)}, ValueError, "b has shape (3, 4, 5), expected (2, 4, n)"),
    ("gemm", {"a": f(2, 3), "b": f(3, 4).astype(np.float64)}, TypeError, "b has dtype float64, expected float32"),
    ("gemm", {"a": f(2, 3).astype(int), "b": f(3, 4)}, TypeError, "a has dtype int64, expected float32"),
    ("gemm", {"a": f(2, 3), "b": f(3, 4), "bias": f(2)}, ValueError, "bias has shape (2,), expected (4,)"),
    ("gemm", {"a": f(2, 3), "b": f(3, 4), "out": f(4, 2)}, ValueError, "out has shape (4, 2), expected (2, 4)"),
    ("gemm", {"a": f(2, 3), "b": f(3, 4), "beta": 1.0}, ValueError, "beta is not 0 but there is no out to scale"),
    ("relu_forward", {"x": 3.0}, TypeError, "x is a float, expected a"),
    ("relu_forward", {"x": None}, TypeError, "x is a NoneType, expected a"),
    ("relu_forward", {"x": f(2).astype(np.int32)}, TypeError, "x has dtype int"),
    ("relu_forward", {"x": f(2), "out": f(3)}, ValueError, "out has shape (3,), expected (2,)"),
    ("relu_backward", {"saved": f(2), "dout": f(3)}, ValueError, "dout has shape (3,), expected (2,)"),
    ("relu_forward", {"x": f(2), "out": f(2).astype(np.float64)}, TypeError, "out has dtype float64, expected float32"),
    ("leaky_relu_forward", {"x": f(2), "alpha": 0.1, "out": f(2, 1)}, ValueError, "out has shape (2, 1), expected (2,)"),
    ("elu_backward", {"saved": f(2), "dout": f(2, 2), "alpha": 1.0}, ValueError, "dout has shape (2, 2), expected (2,)"),
    ("add", {"a": f(2, 3), "b": f(2)}, ValueError, "shapes (2, 3) and (2,) do not broadcast together"),
    ("mul", {"a": f(2, 3), "b": f(4, 1, 2)}, ValueError, "shapes (2, 3) and (4, 1, 2) do not broadcast together"),
    ("div", {"a": f(2), "b": 2.0}, TypeError, "b is a float, expected a"),
    ("pow", {"a": f(2), "b": f(2).astype(np.float64)}, TypeError, "b has dtype float64, expected float32"),
    ("sub", {"a": f(2), "b": f(3, 1), "out": f(3)}, ValueError, "out has shape (3,), expected (3, 2)"),
    ("maximum", {"a": f(2), "b": f(2), "out": f(2).astype(int)}, TypeError, "out has dtype int64, expected float32"),
    ("eq", {"a": f(2), "b": f(3)}, ValueError, "shapes (2,) and (3,) do not broadcast together"),
    ("lt", {"a": f(2), "b": f(2), "out": f(2)}, TypeError, "out has dtype float32, expected bool"),
    ("ge", {"a": f(2), "b": f(2), "out": np.ones(3, bool)}, ValueError, "out has shape (3,), expected (2,)"),
    ("ne", {"a": None, "b": f(2)}, TypeError, "a is a NoneType, expected a"),
    ("gt", {"a": f(2), "b": np.arange(2)}, TypeError, "b has dtype int64, expected float32"),
    ("where", {"condition": f(2), "a": f(2), "b": f(2)}, TypeError, "condition has dtype float32, expected bool"),
    ("where", {"condition": np.ones(3, bool), "a": f(2), "b": f()}, ValueError, "shapes (3,) and (2,) and () do not broadcast together"),
    ("where", {"condition": np.ones(2, bool), "a": f(2), "b": f(2).astype(np.float64)}, TypeError, "b has dtype float64, expected float32"),
    ("where", {"condition": True, "a": f(2), "b": f(2)}, TypeError, "condition is a bool, expected a"),
    ("where", {"condition": np.ones(2, bool), "a": f(2), "b": f(2), "out": f(3)}, ValueError, "out has shape (3,), expected (2,)"),
    ("fill", {"out": [1.0], "value": 0}, TypeError, "out is a list, expected a"),
    ("fill", {"out": np.ones(2, np.uint8), "value": 256}, ValueError, "value is 256, which uint8 cannot hold"),
    ("fill", {"out": np.ones(2, np.uint8), "value": -1.5}, ValueError, "value is -1.5, which uint8 cannot hold"),
    ("fill", {"out": np.ones(2, int), "value": 2**63}, ValueError, "value is 9223372036854775808, which int64 cannot hold"),
    ("cast", {"x": 1.0, "dtype": "float32"}, TypeError, "x is a float, expected a"),
    ("cast", {"x": f(2), "dtype": "int32"}, TypeError, "dtype is int32, expected one of float32, float64, int64, uint8, bool"),
    ("cast", {"x": f(2), "dtype": ">f4"}, TypeError, "dtype is >f4, expected one of float32,"),
    ("cast", {"x": f(2), "dtype": np.complex64}, TypeError, "dtype is complex64, expected one of float32,"),
    ("cast", {"x": None, "dtype": bool}, TypeError, "x is a NoneType, expected a"),
    ("copy_strided", {"x": [1.0]}, TypeError, "x is a list, expected a"),
    ("copy_strided", {"x": f(2), "out": f(2, 1)}, ValueError, "out has shape (2, 1), expected (2,)"),
    ("copy_strided", {"x": f(2), "out": np.arange(2)}, TypeError, "out has dtype int64, expected float32"),
    ("copy_strided", {"x": f(2).astype(bool), "out": f(2)}, TypeError, "out has dtype float32, expected bool"),
    ("copy_strided", {"x": f(2), "out": 1.0}, TypeError, "out is a float, expected a"),
    ("softmax_xent_forward", {"logits": f(3), "labels": np.zeros(3, int)}, ValueError, "logits has shape (3,), expected (n, c)"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": np.zeros(2, int)}, ValueError, "labels has shape (2,), expected (3,)"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": f(3)}, TypeError, "labels has dtype float32, expected int64"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": np.zeros(3, int), "weight": f(2)}, ValueError, "weight has shape (2,), expected (3,)"),
    ("softmax_xent_backward", {"saved": f(3, 2), "dloss": f(2)}, ValueError, "dloss has shape (2,), expected (3,)"),
    ("softmax_forward", {"x": f(3)}, ValueError, "x has shape (3,), expected (n, c)"),
    ("softmax_forward", {"x": f(3, 2).astype(int)}, TypeError, "x has dtype int64, expected float32"),
    ("log_softmax_forward", {"x": f(3, 2), "out": f(2, 3)}, ValueError, "out has shape (2, 3), expected (3, 2)"),
    ("softmax_backward", {"saved": f(3, 2, 1), "dout": f(3, 2)}, ValueError, "saved has shape (3, 2, 1), expected (n, c)"),
    ("log_softmax_backward", {"saved": f(3, 2), "dout": f(2, 3)}, ValueError, "dout has shape (2, 3), expected (3, 2)"),
    ("batch_norm_forward", {"x": f(2, 3), "weight": f(3), "bias": f(3)}, ValueError, "x has shape (2, 3), expected (n, c, s)"),
    ("batch_norm_forward", {"x": f(2, 3, 4), "weight": f(2), "bias": f(3)}, ValueError, "weight has shape (2,), expected (3,)"),
    ("batch_norm_forward", {"x": f(2, 3, 4), "weight": f(3), "bias": f(3, 1)}, ValueError, "bias has shape (3, 1), expected (3,)"),
    ("batch_norm_forward", {"x": f(2, 3, 0), "weight": f(3), "bias": f(3)}, ValueError, "x has shape (2, 3, 0), expected at least one value a channel"),
    ("batch_norm_backward", batch_norm(dout=f(2, 3, 5)), ValueError, "dout has shape (2, 3, 5), expected (2, 3, 4)"),
    ("batch_norm_backward", batch_norm(mean=f(2)), ValueError, "mean has shape (2,), expected (3,)"),
    ("batch_norm_backward", batch_norm(var=f(3).astype(np.float64)), TypeError, "var has dtype float64, expected float32"),
    ("layer_norm_forward", {"x": f(2, 3, 4), "weight": f(3), "bias": f(3)}, ValueError, "x has shape (2, 3, 4), expected (n, d)"),
    ("layer_norm_forward", {"x": f(2, 3), "weight": f(2), "bias": f(3)}, ValueError, "weight has shape (2,), expected (3,)"),
    ("layer_norm_forward", {"x": f(2, 3), "weight": f(3), "bias": None}, TypeError, "bias is a NoneType, expected a"),
    ("layer_norm_backward", layer_norm(dout=f(3, 2)), ValueError, "dout has shape (3, 2), expected (2, 3)"),
    ("layer_norm_backward", layer_norm(mean=f(3)), ValueError, "mean has shape (3,), expected (2,)"),
    ("layer_norm_backward", layer_norm(r=f(3)), ValueError, "r has shape (3,), expected (2,)"),
    ("reduce_sum", {"x": f(2, 3), "axes": (2,)}, ValueError, "axes is (2,), expected different axes of x, 0 <= axis < 2"),
    ("reduce_mean", {"x": f(2, 3), "axes": (1, 1)}, ValueError, "axes is (1, 1), expected different axes of x, 0 <= axis < 2"),
    ("reduce_var", {"x": f(2, 3), "axes": (-1,)}, ValueError, "axes is (-1,), expected different axes of x, 0 <= axis < 2"),
    ("reduce_sum", {"x": f(2, 3), "axes": (0,), "out": f(2)}, ValueError, "out has shape (2,), expected (3,)"),
    ("reduce_max", {"x": f(2, 0), "axes": (1,)}, ValueError, "x has no element along axis 1, expected at least one"),
    ("reduce_min", {"x": [1.0], "axes": (0,)}, TypeError, "x is a list, expected a"),
    ("argmax", {"x": f(2, 3), "axis": 2}, ValueError, "axes is (2,), expected different axes of x, 0 <= axis < 2"),
    ("argmin", {"x": f(0, 3), "axis": 0}, ValueError, "x has no element along axis 0, expected at least one"),
    ("argmax", {"x": f(2, 3), "axis": 0, "out": f(3)}, TypeError, "out has dtype float32, expected int64"),
    ("bias_activation_forward", {"x": f(2, 3), "bias": f(3), "activation": "relu"}, ValueError, "x has shape (2, 3), expected (n, c, s)"),
    ("bias_activation_forward", {"x": f(2, 3, 4), "bias": f(2), "activation": "relu"}, ValueError, "bias has shape (2,), expected (3,)"),
    ("bias_activation_forward", {"x": f(2, 3, 4), "bias": f(3), "activation": "gelu"}, ValueError, "activation is 'gelu', expected relu, sigmoid, tanh"),
    ("bias_activation_backward", {"saved": f(2, 3, 4), "dout": f(2, 3), "activation": "tanh"}, ValueError, "dout has shape (2, 3), expected (2, 3, 4)"),
    ("bias_activation_backward", {"saved": f(2, 3, 4), "dout": f(2, 3, 4), "activation": ""}, ValueError, "activation is '', expected relu, sigmoid, tanh"),
    ("adam_step", adam(grad=f(3)), ValueError, "grad has shape (3,), expected (4,)"),
    ("adam_step", adam(m=f(4, 1)), ValueError, "m has shape (4, 1), expected (4,)"),
    ("adam_step", adam(learning_rate=f(2)), ValueError, "learning_rate has shape (2,), expected (1,)"),
    ("adam_step", adam(step=f(1)), TypeError, "step has dtype float32, expected int64"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kernel", "arguments", "error", "sentence"), WRONG, ids=[f"{w[0]}-{w[3]}" for w in WRONG]
)
def test_names_the_argument_what_came_and_what_was_expected(
    any_table: Any, kernel: str, arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=re.escape(f"[{kernel}] {sentence}")):
        getattr(any_table, kernel)(**arguments)


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_will_not_write_to_a_read_only_array(name: str) -> None:
    import baregrad as bg

    table = getattr(bg.kernels, name)
    with pytest.raises(ValueError, match=r"\[gemm\] out is read-only"):
        table.gemm(f(2, 3), f(3, 4), out=READ_ONLY)
    with pytest.raises(ValueError, match=r"\[fill\] out is read-only"):
        table.fill(READ_ONLY, 1)
    with pytest.raises(ValueError, match=r"\[copy_strided\] out is read-only"):
        table.copy_strided(f(2, 4), out=READ_ONLY)
    frozen = f(4)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"\[adam_step\] param is read-only"):
        table.adam_step(**adam(param=frozen))


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_will_not_write_over_what_it_still_has_to_read(name: str) -> None:
    import baregrad as bg

    table, memory = getattr(bg.kernels, name), f(5, 5)
    with pytest.raises(ValueError, match=r"\[gemm\] out shares memory with a, expected separate"):
        table.gemm(memory[:4, :4], f(4, 4), out=memory[1:, 1:])
    with pytest.raises(ValueError, match=r"\[relu_forward\] out shares memory with x, .* x itself"):
        table.relu_forward(memory[0], out=memory[0, ::-1])
    with pytest.raises(ValueError, match=r"\[add\] out shares memory with b, .* b itself"):
        table.add(memory, memory[0], out=memory)
    with pytest.raises(ValueError, match=r"\[mul\] out shares memory with a, .* a itself"):
        table.mul(memory[0, :1], memory[1], out=memory[0])
    with pytest.raises(ValueError, match=r"\[where\] out shares memory with a"):
        table.where(np.ones(4, bool), memory[0, 1:], memory[1, 1:], out=memory[0, :4])
    with pytest.raises(ValueError, match=r"\[copy_strided\] out shares memory with x, .* memory$"):
        table.copy_strided(memory, out=memory)
    shared = f(4)
    with pytest.raises(ValueError, match=r"\[adam_step\] m shares memory with grad"):
        table.adam_step(**adam(m=shared, grad=shared))


def test_says_that_out_has_no_room_for_every_element() -> None:
    from baregrad import _cpu

    for strides in ((0, 4), (4, 4), (8, 4)):
        out = np.lib.stride_tricks.as_strided(f(8), (2, 4), strides)
        with pytest.raises(ValueError, match=r"\[gemm\] out repeats memory"):
            _cpu.gemm(f(2, 3), f(3, 4), out=out)
    spaced = np.lib.stride_tricks.as_strided(f(16), (2, 4), (4, 8))  # two rows, interleaved
    assert _cpu.gemm(f(2, 3), f(3, 4), out=spaced) is spaced


@pytest.mark.parametrize("rows", [2**31, 2**32, 2**40, 2**60])
def test_a_result_too_large_for_memory_is_a_memory_error(rows: int) -> None:
    from baregrad import _cpu

    one = np.broadcast_to(np.float32(1), (rows, 1))
    with pytest.raises(MemoryError):
        _cpu.gemm(one, np.broadcast_to(np.float32(1), (1, 2**30)))


def test_an_unknown_kernel_is_an_attribute_error_that_lists_the_known() -> None:
    import baregrad as bg

    with pytest.raises(AttributeError, match=r"no kernel 'gem', only adam_step, gemm"):
        bg.kernels.cpu.gem  # noqa: B018
    with pytest.raises(AttributeError, match="expected one of"):
        bg.kernels.tpu  # noqa: B018
