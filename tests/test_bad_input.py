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


def conv(**changed: Any) -> dict[str, Any]:
    return {"x": f(2, 4, 5, 6), "w": f(6, 4, 3, 3), **changed}


def conv_input(**changed: Any) -> dict[str, Any]:
    return {"dout": f(2, 6, 3, 4), "w": f(6, 4, 3, 3), "shape": (2, 4, 5, 6), **changed}


def conv_weight(**changed: Any) -> dict[str, Any]:
    return {"x": f(2, 4, 5, 6), "dout": f(2, 6, 3, 4), "kernel": (3, 3), **changed}


def columns(**changed: Any) -> dict[str, Any]:
    return {"columns": f(2, 8, 12), "shape": (2, 2, 4, 5), "kernel": (2, 2), **changed}


def pool(**changed: Any) -> dict[str, Any]:
    return {"x": f(2, 3, 4, 6), "kernel": (2, 2), "stride": (2, 2), **changed}


def pool_back(**changed: Any) -> dict[str, Any]:
    size = {"shape": (2, 3, 4, 6), "kernel": (2, 2), "stride": (2, 2)}
    return {"dout": f(2, 3, 2, 3), **size, **changed}


def places(**changed: Any) -> dict[str, Any]:
    return {"places": np.zeros((2, 3, 2, 3), np.uint8), **pool_back(**changed)}


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
    ("softmax_xent_forward", {"logits": f(3), "labels": np.zeros(3, int)}, ValueError, "logits has shape (3,), expected (n, c)"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": np.zeros(2, int)}, ValueError, "labels has shape (2,), expected (3,)"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": f(3)}, TypeError, "labels has dtype float32, expected int64"),
    ("softmax_xent_forward", {"logits": f(3, 2), "labels": np.zeros(3, int), "weight": f(2)}, ValueError, "weight has shape (2,), expected (3,)"),
    ("softmax_xent_backward", {"saved": f(3, 2), "dloss": f(2)}, ValueError, "dloss has shape (2,), expected (3,)"),
    ("adam_step", adam(grad=f(3)), ValueError, "grad has shape (3,), expected (4,)"),
    ("adam_step", adam(m=f(4, 1)), ValueError, "m has shape (4, 1), expected (4,)"),
    ("adam_step", adam(learning_rate=f(2)), ValueError, "learning_rate has shape (2,), expected (1,)"),
    ("adam_step", adam(step=f(1)), TypeError, "step has dtype float32, expected int64"),
    ("conv2d_forward", conv(x=f(4, 5, 6)), ValueError, "x has shape (4, 5, 6), expected (n, c, h, w)"),
    ("conv2d_forward", conv(w=f(6, 3, 3, 3)), ValueError, "w has shape (6, 3, 3, 3), expected (o, 4, kh, kw)"),
    ("conv2d_forward", conv(w=f(6, 4, 3, 3), groups=2), ValueError, "w has shape (6, 4, 3, 3), expected (o, 2, kh, kw)"),
    ("conv2d_forward", conv(w=f(6, 4, 0, 3)), ValueError, "kernel is (0, 3), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(w=f(6, 4, 3, 3).astype(np.float64)), TypeError, "w has dtype float64, expected float32"),
    ("conv2d_forward", conv(groups=3), ValueError, "groups is 3, expected a divisor of c, 4"),
    ("conv2d_forward", conv(w=f(5, 2, 3, 3), groups=2), ValueError, "groups is 2, expected a divisor of o, 5"),
    ("conv2d_forward", conv(groups=0), ValueError, "groups is 0, expected a divisor of c, 4"),
    ("conv2d_forward", conv(bias=f(4)), ValueError, "bias has shape (4,), expected (6,)"),
    ("conv2d_forward", conv(stride=(1, 0)), ValueError, "stride is (1, 0), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(stride=(1, 1, 1)), ValueError, "stride is (1, 1, 1), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(padding=(-1, 0)), ValueError, "padding is (-1, 0), expected 2 integers of at least 0"),
    ("conv2d_forward", conv(dilation=(0, 1)), ValueError, "dilation is (0, 1), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(dilation=(1, 4)), ValueError, "the window reaches over 9 pixels of 6, padding included, expected at most all"),
    ("conv2d_forward", conv(out=f(2, 6, 3, 3)), ValueError, "out has shape (2, 6, 3, 3), expected (2, 6, 3, 4)"),
    ("conv2d_backward_input", conv_input(dout=f(2, 6, 3)), ValueError, "dout has shape (2, 6, 3), expected (n, o, oh, ow)"),
    ("conv2d_backward_input", conv_input(dout=f(2, 6, 4, 4)), ValueError, "dout has shape (2, 6, 4, 4), expected (2, 6, 3, 4)"),
    ("conv2d_backward_input", conv_input(shape=(2, 4, 5)), ValueError, "shape is (2, 4, 5), expected 4 integers of at least 0"),
    ("conv2d_backward_input", conv_input(w=f(6, 3, 3, 3)), ValueError, "w has shape (6, 3, 3, 3), expected (o, 4, kh, kw)"),
    ("conv2d_backward_input", conv_input(stride=(2, 1)), ValueError, "dout has shape (2, 6, 3, 4), expected (2, 6, 2, 4)"),
    ("conv2d_backward_weight", conv_weight(dout=f(2, 6, 3, 3)), ValueError, "dout has shape (2, 6, 3, 3), expected (2, o, 3, 4)"),
    ("conv2d_backward_weight", conv_weight(kernel=(3,)), ValueError, "kernel is (3,), expected 2 integers of at least 1"),
    ("conv2d_backward_weight", conv_weight(kernel=(6, 3)), ValueError, "the window reaches over 6 pixels of 5, padding included"),
    ("conv2d_backward_weight", conv_weight(groups=4), ValueError, "groups is 4, expected a divisor of o, 6"),
    ("conv2d_backward_weight", conv_weight(dout=f(2, 6, 3, 4).astype(int)), TypeError, "dout has dtype int64, expected float32"),
    ("im2col", {"x": f(4, 5), "kernel": (2, 2)}, ValueError, "x has shape (4, 5), expected (n, c, h, w)"),
    ("im2col", {"x": f(1, 1, 4, 5), "kernel": (5, 2)}, ValueError, "the window reaches over 5 pixels of 4, padding included"),
    ("im2col", {"x": f(1, 1, 4, 5), "kernel": (0, 2)}, ValueError, "kernel is (0, 2), expected 2 integers of at least 1"),
    ("col2im", columns(columns=f(2, 8, 11)), ValueError, "columns has shape (2, 8, 11), expected (2, 8, 12)"),
    ("col2im", columns(shape=(2, 2, 4, -5)), ValueError, "shape is (2, 2, 4, -5), expected 4 integers of at least 0"),
    ("col2im", columns(stride=(1, 2)), ValueError, "columns has shape (2, 8, 12), expected (2, 8, 6)"),
    ("maxpool2d_forward", pool(x=f(3, 4, 6)), ValueError, "x has shape (3, 4, 6), expected (n, c, h, w)"),
    ("maxpool2d_forward", pool(kernel=(17, 16), padding=(8, 8)), ValueError, "kernel is (17, 16), expected at most 256 cells in a window"),
    ("maxpool2d_forward", pool(padding=(1, 2)), ValueError, "padding is (1, 2), expected at most half of kernel (2, 2)"),
    ("maxpool2d_forward", pool(stride=(0, 1)), ValueError, "stride is (0, 1), expected 2 integers of at least 1"),
    ("maxpool2d_forward", pool(kernel=(5, 1)), ValueError, "the window reaches over 5 pixels of 4, padding included"),
    ("maxpool2d_forward", pool(out=f(2, 3, 2, 2)), ValueError, "out has shape (2, 3, 2, 2), expected (2, 3, 2, 3)"),
    ("maxpool2d_backward", places(places=f(2, 3, 2, 3)), TypeError, "places has dtype float32, expected uint8"),
    ("maxpool2d_backward", places(places=np.zeros((2, 3, 2, 2), np.uint8)), ValueError, "places has shape (2, 3, 2, 2), expected (2, 3, 2, 3)"),
    ("maxpool2d_backward", places(dout=f(2, 3, 3, 2)), ValueError, "dout has shape (2, 3, 3, 2), expected (2, 3, 2, 3)"),
    ("avgpool2d_forward", pool(x=f(2, 3, 4, 6).astype(int)), TypeError, "x has dtype int64, expected float32"),
    ("avgpool2d_forward", pool(kernel=(2,)), ValueError, "kernel is (2,), expected 2 integers of at least 1"),
    ("avgpool2d_forward", pool(padding=(2, 0)), ValueError, "padding is (2, 0), expected at most half of kernel (2, 2)"),
    ("avgpool2d_backward", pool_back(dout=f(2, 3, 2, 2)), ValueError, "dout has shape (2, 3, 2, 2), expected (2, 3, 2, 3)"),
    ("avgpool2d_backward", pool_back(shape=(2, 3, 4)), ValueError, "shape is (2, 3, 4), expected 4 integers of at least 0"),
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
