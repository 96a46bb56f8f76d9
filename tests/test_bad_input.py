"""Wrong arguments of kernels: the right exception and the same sentence from every backend."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest


def f(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def sgd(**changed: Any) -> dict[str, Any]:
    arguments = {name: [f(4), f(2, 3)] for name in ("params", "grads", "velocities")}
    return {**arguments, "learning_rate": f(1), **changed}


def adam(**changed: Any) -> dict[str, Any]:
    arguments = {name: [f(4), f(2, 3)] for name in ("params", "grads", "ms", "vs")}
    return {**arguments, "learning_rate": f(1), "step": np.array([1]), **changed}


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


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
    ("gather_rows", {"table": f(4), "rows": i(0)}, ValueError, "table has shape (4,), expected (v, d)"),
    ("gather_rows", {"table": f(4, 2), "rows": i(0).reshape(1, 1)}, ValueError, "rows has shape (1, 1), expected (n,)"),
    ("gather_rows", {"table": f(4, 2), "rows": f(1)}, TypeError, "rows has dtype float32, expected int64"),
    ("gather_rows", {"table": f(4, 2), "rows": [0]}, TypeError, "rows is a list, expected a"),
    ("gather_rows", {"table": f(4, 2), "rows": i(0), "out": f(2, 1)}, ValueError, "out has shape (2, 1), expected (1, 2)"),
    ("scatter_add_rows", {"dout": f(3), "rows": i(0, 1, 2), "out": f(4, 2)}, ValueError, "dout has shape (3,), expected (n, d)"),
    ("scatter_add_rows", {"dout": f(3, 2), "rows": i(0, 1), "out": f(4, 2)}, ValueError, "rows has shape (2,), expected (3,)"),
    ("scatter_add_rows", {"dout": f(1, 2), "rows": i(0), "out": f(4, 3)}, ValueError, "out has shape (4, 3), expected (v, 2)"),
    ("scatter_add_rows", {"dout": f(1, 2), "rows": i(0), "out": f(2)}, ValueError, "out has shape (2,), expected (v, 2)"),
    ("scatter_add_rows", {"dout": f(1, 2), "rows": i(0), "out": None}, TypeError, "out is a NoneType, expected a"),
    ("philox_uniform", {"state": i(0), "out": f(4)}, ValueError, "state has shape (1,), expected (2,)"),
    ("philox_uniform", {"state": f(2), "out": f(4)}, TypeError, "state has dtype float32, expected int64"),
    ("philox_uniform", {"state": i(0, 0), "out": None}, TypeError, "out is a NoneType, expected a"),
    ("philox_normal", {"state": i(0, 0, 0), "out": f(4)}, ValueError, "state has shape (3,), expected (2,)"),
    ("philox_normal", {"state": i(0, 0), "out": i(4)}, TypeError, "out has dtype int64, expected float32"),
    ("philox_normal", {"state": 7, "out": f(4)}, TypeError, "state is a int, expected a"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": 1.5}, ValueError, "p is 1.5, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": -0.25}, ValueError, "p is -0.25, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": float("nan")}, ValueError, "p is nan, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": i(4), "state": i(0, 0), "p": 0.5}, TypeError, "x has dtype int64, expected float32"),
    ("philox_dropout", {"x": f(4), "state": i(0), "p": 0.5}, ValueError, "state has shape (1,), expected (2,)"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": 0.5, "out": f(2, 2)}, ValueError, "out has shape (2, 2), expected (4,)"),
    ("sgd_step", sgd(params=f(4)), TypeError, "params is a "),
    ("sgd_step", sgd(grads=[f(4)]), ValueError, "grads has 1 arrays, expected 2"),
    ("sgd_step", sgd(grads=[f(4), f(3, 2)]), ValueError, "grads[1] has shape (3, 2), expected (2, 3)"),
    ("sgd_step", sgd(velocities=7), TypeError, "velocities is a int, expected a list of arrays"),
    ("sgd_step", sgd(velocities=[f(4), None]), TypeError, "velocities[1] is a NoneType, expected a"),
    ("sgd_step", sgd(learning_rate=f(2)), ValueError, "learning_rate has shape (2,), expected (1,)"),
    ("adam_step", adam(grads=[f(3), f(2, 3)]), ValueError, "grads[0] has shape (3,), expected (4,)"),
    ("adam_step", adam(ms=[f(4), f(6)]), ValueError, "ms[1] has shape (6,), expected (2, 3)"),
    ("adam_step", adam(vs=[]), ValueError, "vs has 0 arrays, expected 2"),
    ("adam_step", adam(params=None), TypeError, "params is a NoneType, expected a list of arrays"),
    ("adam_step", adam(grads=[f(4), i(1)]), TypeError, "grads[1] has dtype int64, expected float32"),
    ("adam_step", adam(learning_rate=f(2)), ValueError, "learning_rate has shape (2,), expected (1,)"),
    ("adam_step", adam(learning_rate=0.1), TypeError, "learning_rate is a float, expected a"),
    ("adam_step", adam(step=f(1)), TypeError, "step has dtype float32, expected int64"),
    ("adam_step", adam(step=i(1, 2)), ValueError, "step has shape (2,), expected (1,)"),
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
    with pytest.raises(ValueError, match=r"\[adam_step\] params\[0\] is read-only"):
        table.adam_step(**adam(params=[frozen, f(2, 3)]))
    with pytest.raises(ValueError, match=r"\[sgd_step\] velocities\[0\] is read-only"):
        table.sgd_step(**sgd(velocities=[frozen, f(2, 3)]))
    with pytest.raises(ValueError, match=r"\[philox_normal\] out is read-only"):
        table.philox_normal(i(0, 0), out=frozen)
    with pytest.raises(ValueError, match=r"\[scatter_add_rows\] out is read-only"):
        table.scatter_add_rows(f(1, 4), i(0), READ_ONLY)


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_will_not_write_over_what_it_still_has_to_read(name: str) -> None:
    import baregrad as bg

    table, memory = getattr(bg.kernels, name), f(5, 5)
    with pytest.raises(ValueError, match=r"\[gemm\] out shares memory with a, expected separate"):
        table.gemm(memory[:4, :4], f(4, 4), out=memory[1:, 1:])
    with pytest.raises(ValueError, match=r"\[relu_forward\] out shares memory with x, .* x itself"):
        table.relu_forward(memory[0], out=memory[0, ::-1])
    with pytest.raises(
        ValueError, match=r"\[philox_dropout\] out shares memory with x, .* x itself"
    ):
        table.philox_dropout(memory[0], i(0, 0), p=0.5, out=memory[0, ::-1])
    with pytest.raises(ValueError, match=r"\[gather_rows\] out shares memory with table"):
        table.gather_rows(memory, i(0), out=memory[:1])
    with pytest.raises(ValueError, match=r"\[scatter_add_rows\] out shares memory with dout"):
        table.scatter_add_rows(memory[:2], i(0, 1), memory)


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_an_optimizer_writes_over_nothing_else_of_its_step(name: str) -> None:
    import baregrad as bg

    table, memory = getattr(bg.kernels, name), f(10)
    four, six = memory[:4], memory[4:].reshape(2, 3)
    across = memory[3:7]
    for wrong, sentence in (
        (adam(ms=[four, f(2, 3)], grads=[four, f(2, 3)]), "ms[0] shares memory with grads[0]"),
        (adam(params=[four, f(2, 3)], vs=[four, f(2, 3)]), "params[0] shares memory with vs[0]"),
        (adam(params=[across, six]), "params[0] shares memory with params[1]"),
        (
            adam(params=[f(4), six], grads=[across, f(2, 3)]),
            "params[1] shares memory with grads[0]",
        ),
        (adam(vs=[four, six], learning_rate=six[0, :1]), "vs[1] shares memory with learning_rate"),
        (adam(ms=[f(4), six], step=memory[6:8].view(np.int64)), "ms[1] shares memory with step"),
    ):
        sentence = re.escape(f"[adam_step] {sentence}, expected separate memory")
        with pytest.raises(ValueError, match=sentence):
            table.adam_step(**wrong)
    with pytest.raises(
        ValueError, match=r"\[sgd_step\] params\[0\] shares memory with velocities\[1\]"
    ):
        table.sgd_step(**sgd(params=[across, f(2, 3)], velocities=[f(4), six]))
    # One after another in the same memory, and a gradient that is two parameters', are in order.
    table.adam_step(**adam(params=[four, six]))
    table.sgd_step([f(4), f(4)], [four, four], None, f(1))


def test_an_optimizer_writes_in_place_or_not_at_all() -> None:
    from baregrad import _cpu

    with pytest.raises(
        ValueError, match=r"params\[1\] has strides \(4, 8\) in bytes, expected a contig"
    ):
        _cpu.adam_step(**adam(params=[f(4), f(3, 2).T]))


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
