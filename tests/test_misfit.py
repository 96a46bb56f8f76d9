"""Arguments that a compiled kernel does not take: one sentence, and not pybind11's list of signatures."""

from __future__ import annotations

import re
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend


@pytest.mark.parametrize("name", ["cpu", "sim"])
@pytest.mark.parametrize(
    ("kernel", "places", "named", "sentence"),
    [
        ("gemm", 2, {"alpah": 1}, "alpah is no argument, expected a, b, bias, alpha, beta, out"),
        ("gemm", 2, {"alpha": "x"}, "alpha is a str, expected a number"),
        ("gemm", 2, {"beta": None}, "beta is a NoneType, expected a number"),
        ("gemm", 3, {}, "there are 3 arguments without a name, expected at most 2, a, b"),
        ("gemm", 1, {}, "b is missing, expected a, b, bias, alpha, beta, out"),
        ("gemm", 2, {"a": 1}, "a is given twice, expected once"),
        ("argmax", 1, {"axis": 1.5}, "axis is a float, expected an integer"),
        ("reduce_sum", 1, {"axes": 1}, "axes is an int, expected a list of integers"),
        ("reduce_sum", 1, {"axes": ["0"]}, "the arguments do not fit, expected (x: object, axes: "),
        ("elu_forward", 1, {}, "alpha is missing, expected x, alpha, out"),
        ("bias_activation_forward", 2, {"activation": 1}, "activation is an int, expected text"),
    ],
)
def test_arguments_of_a_compiled_kernel_that_do_not_fit_are_named(
    name: str, kernel: str, places: int, named: dict[str, Any], sentence: str
) -> None:
    if why := backend.why_absent(name):
        pytest.skip(f"{name} is not here: {why}")
    x = backend.device(name).from_numpy(np.zeros((1, 1, 3, 3), np.float32))
    with pytest.raises(TypeError, match=re.escape(f"[{kernel}] {sentence}")) as raised:
        getattr(getattr(bg.kernels, name), kernel)(*[x] * places, **named)
    assert "\n" not in str(raised.value)
