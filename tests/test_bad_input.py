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


def batch_norm(**changed: Any) -> dict[str, Any]:
    channels = {name: f(3) for name in ("weight", "mean", "var")}
    return {"x": f(2, 3, 4), "dout": f(2, 3, 4), **channels, **changed}


def layer_norm(**changed: Any) -> dict[str, Any]:
    arguments = {"x": f(2, 3), "dout": f(2, 3), "weight": f(3), "mean": f(2), "r": f(2)}
    return {**arguments, **changed}


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


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
    ("bias_activation_forward", {"x": f(2), "bias": f(3), "activation": "relu"}, ValueError, "x has shape (2,), expected (n, c, ...)"),
    ("bias_activation_forward", {"x": f(2, 3, 4), "bias": f(2), "activation": "relu"}, ValueError, "bias has shape (2,), expected (3,)"),
    ("bias_activation_forward", {"x": f(2, 3, 4), "bias": f(3), "activation": "gelu"}, ValueError, "activation is 'gelu', expected relu, sigmoid, tanh"),
    ("bias_activation_backward", {"saved": f(), "dout": f(), "activation": "tanh"}, ValueError, "saved has shape (), expected (n, c, ...)"),
    ("bias_activation_backward", {"saved": f(2, 3, 4), "dout": f(2, 3), "activation": "tanh"}, ValueError, "dout has shape (2, 3), expected (2, 3, 4)"),
    ("bias_activation_backward", {"saved": f(2, 3, 4), "dout": f(2, 3, 4), "activation": ""}, ValueError, "activation is '', expected relu, sigmoid, tanh"),
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
    ("philox_normal", {"state": 7, "out": f(4)}, TypeError, "state is an int, expected a"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": 1.5}, ValueError, "p is 1.5, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": -0.25}, ValueError, "p is -0.25, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": float("nan")}, ValueError, "p is nan, expected 0 <= p <= 1"),
    ("philox_dropout", {"x": i(4), "state": i(0, 0), "p": 0.5}, TypeError, "x has dtype int64, expected float32"),
    ("philox_dropout", {"x": f(4), "state": i(0), "p": 0.5}, ValueError, "state has shape (1,), expected (2,)"),
    ("philox_dropout", {"x": f(4), "state": i(0, 0), "p": 0.5, "out": f(2, 2)}, ValueError, "out has shape (2, 2), expected (4,)"),
    ("sgd_step", sgd(params=f(4)), TypeError, "params is a"),
    ("sgd_step", sgd(grads=[f(4)]), ValueError, "grads has 1 arrays, expected 2"),
    ("sgd_step", sgd(grads=[f(4), f(3, 2)]), ValueError, "grads[1] has shape (3, 2), expected (2, 3)"),
    ("sgd_step", sgd(velocities=7), TypeError, "velocities is an int, expected a list of arrays"),
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
    ("conv2d_forward", conv(x=f(4, 5, 6)), ValueError, "x has shape (4, 5, 6), expected (n, c, h, w)"),
    ("conv2d_forward", conv(w=f(6, 3, 3, 3)), ValueError, "w has shape (6, 3, 3, 3), expected (o, 4, kh, kw)"),
    ("conv2d_forward", conv(w=f(6, 4, 3, 3), groups=2), ValueError, "w has shape (6, 4, 3, 3), expected (o, 2, kh, kw)"),
    ("conv2d_forward", conv(w=f(6, 4, 0, 3)), ValueError, "kernel is (0, 3), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(w=f(6, 4, 3, 3).astype(np.float64)), TypeError, "w has dtype float64, expected float32"),
    ("conv2d_forward", conv(groups=3), ValueError, "groups is 3, expected a divisor of c, 4"),
    ("conv2d_forward", conv(w=f(5, 2, 3, 3), groups=2), ValueError, "groups is 2, expected a divisor of o, 5"),
    ("conv2d_forward", conv(groups=1.5), TypeError, "groups is 1.5, expected an integer"),
    ("conv2d_forward", conv(groups=0), ValueError, "groups is 0, expected a divisor of c, 4"),
    ("conv2d_forward", conv(bias=f(4)), ValueError, "bias has shape (4,), expected (6,)"),
    ("conv2d_forward", conv(stride=(1, 0)), ValueError, "stride is (1, 0), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(stride=(1, 1, 1)), ValueError, "stride is (1, 1, 1), expected 2 integers of at least 1"),
    ("conv2d_forward", conv(stride=1), TypeError, "stride is 1, expected 2 integers of at least 1"),
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
    with pytest.raises(ValueError, match=r"\[fill\] out is read-only"):
        table.fill(READ_ONLY, 1)
    with pytest.raises(ValueError, match=r"\[copy_strided\] out is read-only"):
        table.copy_strided(f(2, 4), out=READ_ONLY)
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
    with pytest.raises(ValueError, match=r"\[add\] out shares memory with b, .* b itself"):
        table.add(memory, memory[0], out=memory)
    with pytest.raises(ValueError, match=r"\[mul\] out shares memory with a, .* a itself"):
        table.mul(memory[0, :1], memory[1], out=memory[0])
    with pytest.raises(ValueError, match=r"\[where\] out shares memory with a"):
        table.where(np.ones(4, bool), memory[0, 1:], memory[1, 1:], out=memory[0, :4])
    with pytest.raises(ValueError, match=r"\[copy_strided\] out shares memory with x, .* memory$"):
        table.copy_strided(memory, out=memory)
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


def test_an_unknown_kernel_is_an_attribute_error_that_names_what_is_like_it() -> None:
    import baregrad as bg

    with pytest.raises(AttributeError, match="no kernel 'gem', expected gemm"):
        bg.kernels.cpu.gem  # noqa: B018
    with pytest.raises(AttributeError, match="expected one of"):
        bg.kernels.tpu  # noqa: B018
    assert {"gemm", "adam_step"} <= {*dir(bg.kernels.cpu)}
