"""The engine: gradients against finite differences, accumulation, versions, freed graphs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import Tensor, _cpu, ops
from baregrad.autograd import Function, Variable, Version
from baregrad.nn import functional as F  # noqa: N812
from test_references import numeric_gradient


def check_gradients(f: Callable[..., Tensor], *inputs: np.ndarray) -> None:
    """Every gradient of f against central differences, for a random upstream gradient."""
    leaves = [bg.tensor(x, requires_grad=True) for x in inputs]
    out = f(*leaves)
    dout = np.random.default_rng(0).standard_normal(out.shape)
    out.backward(bg.tensor(dout))
    for position, leaf in enumerate(leaves):

        def value(x: np.ndarray, position: int = position) -> np.ndarray:
            others = [bg.tensor(i) for i in inputs]
            others[position] = bg.tensor(x)
            return f(*others).numpy()

        want = numeric_gradient(value, inputs[position].copy(), dout)
        assert leaf.grad is not None
        np.testing.assert_allclose(leaf.grad.numpy(), want, atol=2e-8)


def positive(x: Tensor) -> Tensor:
    return x * x + 0.5


def labels(x: Tensor, *classes: int) -> Tensor:
    return bg.tensor(classes, device=x.device)


MASK = bg.tensor([[True, False, True], [False, True, True]])
ROWS, COLUMNS = np.array([2, 0, 2, -1]), bg.tensor([0, 1, 1, 0])


def dropped(x: Tensor) -> Tensor:
    bg.manual_seed(7)  # the same elements each time
    return F.dropout(x, 0.4, training=True)


def assigned(x: Tensor, row: Tensor) -> Tensor:
    x = x * 1
    x[1] = row
    return x * x


def unary(kind: str) -> Callable[[Tensor], Tensor]:
    """The op of a kind where it is defined: log and its like want numbers above 0."""
    function, options = getattr(ops, kind), {"leaky_relu": [0.2], "elu": [1.5]}.get(kind, [])
    defined = np.isfinite(function(bg.tensor([-1.0]), *options).numpy()).all()
    return lambda x: function(x if defined else positive(x), *options)


OPS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    **{kind: (unary(kind), [(4, 5)]) for kind in _cpu.UNARY},
    "add": (lambda a, b: a + b, [(3, 4), (3, 4)]),
    "add, broadcast": (lambda a, b: a + b, [(2, 1, 4), (3, 1)]),
    "add with alpha": (lambda a, b: a.add(b, alpha=3), [(3, 4), (4,)]),
    "sub": (lambda a, b: a - b, [(3, 1), (4,)]),
    "sub from a number": (lambda a: 2 - a, [(3, 4)]),
    "mul": (lambda a, b: a * b, [(3, 1), (2, 1, 4)]),
    "mul by a number": (lambda a: 2 * a * 3, [(3, 4)]),
    "div": (lambda a, b: a / positive(b), [(3, 4), (4,)]),
    "div of a number": (lambda a: 2 / positive(a), [(3, 4)]),
    "pow": (lambda a, b: positive(a) ** b, [(3, 4), (4,)]),
    "pow of a number": (lambda b: 2**b, [(3, 4)]),
    "to the power of 2": (lambda a: a**2, [(3, 4)]),
    "to the power of 3": (lambda a: a**3, [(3, 4)]),
    "to the power of 1.5": (lambda a: positive(a) ** 1.5, [(3, 4)]),
    "to the power of -1, 0.5, 1": (lambda a: positive(a) ** -1 + positive(a) ** 0.5 + a**1, [(3, 4)]),
    "maximum": (lambda a, b: a.maximum(b), [(3, 4), (4,)]),
    "minimum": (lambda a, b: a.minimum(b), [(3, 4), (3, 1)]),
    "clamp": (lambda a, b: a.clamp(b - 1, b + 1), [(3, 4), (3, 1)]),
    "where": (lambda a, b: bg.where(MASK.to(a.device), a, b), [(2, 3), (3,)]),
    "sum": (lambda x: x.sum(), [(3, 4)]),
    "sum of a dimension": (lambda x: x.sum(1) * x.sum(1), [(3, 4, 2)]),
    "sum, keepdim": (lambda x: x * x.sum((0, 2), keepdim=True), [(3, 4, 2)]),
    "mean": (lambda x: x.mean(), [(3, 4)]),
    "mean of dimensions": (lambda x: x.mean((-1, 0)), [(3, 4, 2)]),
    "var": (lambda x: x.var(), [(3, 4)]),
    "var of a dimension": (lambda x: x.var(1, correction=0), [(3, 4, 2)]),
    "std": (lambda x: x.std(0, keepdim=True), [(3, 4)]),
    "max": (lambda x: x.max(), [(3, 4)]),
    "amin of dimensions": (lambda x: x.amin((0, 2)), [(3, 4, 2)]),
    "max along a dimension": (lambda x: x.max(1).values, [(3, 4, 2)]),
    "min along a dimension": (lambda x: x.min(-1, keepdim=True)[0], [(3, 4)]),
    "softmax": (lambda x: x.softmax(1), [(3, 4)]),
    "softmax over the first": (lambda x: x.softmax(0), [(3, 4)]),
    "log_softmax over the middle": (lambda x: x.log_softmax(1), [(2, 3, 4)]),
    "matmul": (lambda a, b: a @ b, [(3, 4), (4, 5)]),
    "matmul of batches": (lambda a, b: a @ b, [(2, 3, 4), (2, 4, 5)]),
    "matmul of a batch and a matrix": (lambda a, b: a @ b, [(2, 3, 4), (4, 5)]),
    "matmul of a matrix and a batch": (lambda a, b: a @ b, [(3, 4), (2, 4, 5)]),
    "matmul of batches that broadcast": (lambda a, b: a @ b, [(2, 1, 3, 4), (3, 4, 2)]),
    "matmul of a batch and a vector": (lambda a, b: a @ b, [(2, 3, 4), (4,)]),
    "matmul of a vector and a batch": (lambda a, b: a @ b, [(3,), (2, 3, 4)]),
    "matrix times vector": (lambda a, b: a @ b, [(3, 4), (4,)]),
    "vector times matrix": (lambda a, b: a @ b, [(4,), (4, 5)]),
    "dot": (lambda a, b: a @ b, [(4,), (4,)]),
    "transposed operands": (lambda a, b: a.T @ b.mT, [(4, 3), (5, 4)]),
    "reshape": (lambda x: x.reshape(6, -1) @ x.reshape(4, 6), [(2, 3, 4)]),
    "view": (lambda x: x.view(6, 4) * x.flatten(0, 1), [(2, 3, 4)]),
    "permute": (lambda x: x.permute(2, 0, 1).reshape(4, 6), [(2, 3, 4)]),
    "transpose": (lambda x: x.transpose(0, 2) * 2, [(2, 3, 4)]),
    "squeeze and unsqueeze": (lambda x: x.squeeze(1).unsqueeze(-1), [(2, 1, 4)]),
    "expand": (lambda x: x.expand(3, 2, -1) * x, [(2, 4)]),
    "flip": (lambda x: x.flip((0, 1)) * x, [(3, 4)]),
    "cat": (lambda a, b: bg.cat([a, b, a], dim=1), [(2, 3), (2, 2)]),
    "stack": (lambda a, b: bg.stack([a, b], dim=1), [(2, 3), (2, 3)]),
    "split": (lambda x: x.split(2, dim=1)[1] * x.split([1, 2, 2], 1)[2], [(3, 5)]),
    "chunk": (lambda x: x.chunk(3)[2] + x.chunk(3)[0][:1], [(7, 2)]),
    "pad": (lambda x: ops.pad(x, (1, 2, 0, -1), 3.0), [(3, 4)]),
    "clone": (lambda x: x.clone() * x.T.contiguous().T, [(3, 4)]),
    "double": (lambda x: x.double() * 2, [(3, 4)]),
    "an index": (lambda x: x[1] * x[-1], [(3, 4)]),
    "slices": (lambda x: x[::2, 1:] * 2, [(3, 4)]),
    "slices backwards": (lambda x: x[::-1, None, ..., -2:], [(3, 4)]),
    "rows": (lambda x: x[ROWS] * 2, [(3, 4)]),
    "columns": (lambda x: x[:, COLUMNS], [(3, 4)]),
    "elements": (lambda x: x[ROWS, COLUMNS], [(3, 2)]),
    "a mask": (lambda x: x[MASK] * 2, [(2, 3)]),
    "a mask of rows": (lambda x: x[:, np.array([True, False, True])], [(2, 3, 2)]),
    "dropout": (dropped, [(4, 5)]),
    "binary cross entropy": (lambda x: F.binary_cross_entropy(x.sigmoid(), bg.full(x.shape, 0.3, dtype=x.dtype, device=x.device)), [(4,)]),
    "assignment": (assigned, [(3, 4), (4,)]),
    "linear": (F.linear, [(3, 4), (5, 4), (5,)]),
    "linear without bias": (F.linear, [(3, 4), (5, 4)]),
    "linear of a vector": (F.linear, [(4,), (5, 4), (5,)]),
    "linear of three axes": (F.linear, [(2, 3, 4), (5, 4), (5,)]),
    "linear and relu": (lambda x, w, b: ops.linear(x, w, b, activation="relu"), [(3, 4), (5, 4), (5,)]),
    "linear and gelu": (lambda x, w, b: ops.linear(x, w, b, activation="gelu"), [(3, 4), (5, 4), (5,)]),
    "conv2d": (lambda x, w, b: ops.conv2d(x, w, b), [(2, 3, 5, 4), (4, 3, 3, 2), (4,)]),
    "conv2d, strided": (lambda x, w: ops.conv2d(x, w, stride=2, padding=(1, 0)), [(2, 2, 5, 5), (3, 2, 3, 3)]),
    "conv2d in groups": (lambda x, w: ops.conv2d(x, w, groups=2, dilation=2), [(1, 4, 5, 5), (4, 2, 2, 2)]),
    "conv2d, same": (lambda x, w: ops.conv2d(x, w, padding="same"), [(1, 2, 4, 5), (2, 2, 2, 3)]),
    "conv2d and tanh": (lambda x, w, b: ops.conv2d(x, w, b, activation="tanh"), [(2, 2, 4, 4), (3, 2, 3, 3), (3,)]),
    "maxpool2d": (lambda x: ops.maxpool2d(x, 2), [(2, 3, 4, 5)]),
    "maxpool2d, overlapping": (lambda x: ops.maxpool2d(x, 3, 1, 1), [(1, 2, 4, 5)]),
    "avgpool2d": (lambda x: ops.avgpool2d(x, (2, 3), 1, 1), [(1, 2, 4, 5)]),
    "batch_norm": (lambda x, w, b: ops.batch_norm(x, w, b)[0], [(4, 3, 2, 2), (3,), (3,)]),
    "batch_norm of rows": (lambda x: ops.batch_norm(x)[0], [(5, 3)]),
    "batch_norm_by": (lambda x, m, v, w, b: ops.batch_norm_by(x, m, positive(v), w, b), [(4, 3, 2), (3,), (3,), (3,), (3,)]),
    "layer_norm": (lambda x, w, b: ops.layer_norm(x, 4, w, b), [(2, 3, 4), (4,), (4,)]),
    "layer_norm of two axes": (lambda x: ops.layer_norm(x, (3, 4)), [(2, 3, 4)]),
    "embedding": (lambda w: ops.embedding(bg.tensor([[0, 2], [2, 1]], device=w.device), w), [(3, 4)]),
    "cross entropy": (lambda x: F.cross_entropy(x, labels(x, 0, 2, 1)), [(3, 4)]),
    "cross entropy, sum": (lambda x: F.cross_entropy(x, labels(x, 0, 2), reduction="sum"), [(2, 4)]),
    "cross entropy, none": (lambda x: F.cross_entropy(x, labels(x, 0, 2), reduction="none"), [(2, 4)]),
    "a tensor used twice": (lambda x: x @ x.relu(), [(3, 3)]),
    "a tensor used three times": (lambda x: x @ (x.T @ x), [(3, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_derivatives(name: str, rng: np.random.Generator) -> None:
    f, shapes = OPS[name]
    check_gradients(f, *(rng.standard_normal(shape) for shape in shapes))


def values_and_gradients(
    f: Callable[..., Tensor], device: str, inputs: list[np.ndarray]
) -> list[np.ndarray]:
    leaves = [bg.tensor(x, device=device, requires_grad=True) for x in inputs]
    out = f(*leaves)
    dout = np.random.default_rng(0).standard_normal(out.shape).astype(out.dtype)
    out.backward(bg.tensor(dout, device=device))
    assert out.device == device
    assert all(leaf.grad is not None and leaf.grad.device == device for leaf in leaves)
    return [out.detach().cpu().numpy(), *(leaf.grad.cpu().numpy() for leaf in leaves)]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", OPS)
def test_ops_run_on_every_device_as_on_the_cpu(
    name: str, device: str, rng: np.random.Generator
) -> None:
    # How exact kernels are is for test_cases; on the opaque device they are the CPU's own.
    f, shapes = OPS[name]
    inputs = [rng.standard_normal(shape, np.float32) for shape in shapes]
    got = values_and_gradients(f, device, inputs)
    tolerance = 1e-4 if device == "sim" else 0
    for one, want in zip(got, values_and_gradients(f, "cpu", inputs), strict=True):
        np.testing.assert_allclose(one, want, rtol=tolerance, atol=tolerance)


def functions(kind: type[Function] = Function) -> Iterator[type[Function]]:
    """Every Function of the package."""
    for below in kind.__subclasses__():
        if below.__module__.startswith("baregrad."):
            yield from functions(below)
            yield below


def test_no_function_is_missing_from_the_list(rng: np.random.Generator) -> None:
    met: set[type[Function]] = set()
    for f, shapes in OPS.values():
        out = f(*(bg.tensor(rng.standard_normal(s), requires_grad=True) for s in shapes))
        stack: list[Any] = [out.grad_fn]
        while stack:
            node = stack.pop()
            if isinstance(node, Function):
                met.add(type(node))
                stack += node.parents
    bases = {base for kind in functions() for base in kind.__mro__[1:]}
    others = {"Cast", "Move"}  # of float32 and of two devices: test_tensor.py, test_ops.py
    assert {kind.__name__ for kind in set(functions()) - bases - met} - others == set()


def network(device: str, x: np.ndarray, *weights: np.ndarray) -> tuple[float, list[np.ndarray]]:
    w1, b1, w2 = leaves = [bg.tensor(w, device=device, requires_grad=True) for w in weights]
    hidden = F.linear(bg.tensor(x, device=device), w1, b1).relu()
    loss = F.cross_entropy(F.linear(hidden, w2) @ bg.tensor(np.eye(4, dtype=np.float32), device=device),
                           bg.tensor([1, 0, 3], device=device))  # fmt: skip
    loss.backward()
    return loss.item(), [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]


def test_a_network_gives_the_same_gradients_on_every_device(
    device: str, rng: np.random.Generator
) -> None:
    arrays = [rng.standard_normal(s, np.float32) for s in ((3, 6), (5, 6), (5,), (4, 5))]
    loss, gradients = network(device, *arrays)
    with bg.use("reference"):
        want_loss, want = network("cpu", *arrays)
    assert abs(loss - want_loss) <= 1e-6
    assert len(gradients) == len(want) == 3
    for got, exact in zip(gradients, want, strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-6)


def test_backward_adds_to_grad_until_it_is_cleared(device: str) -> None:
    x = bg.tensor([[1.0, -2.0]], device=device, requires_grad=True)
    for _ in range(3):
        (x.relu() @ bg.tensor([[2.0], [3.0]], device=device)).backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [[6, 0]])


def test_gradients_that_two_leaves_share_are_two_arrays() -> None:
    # Reshape hands on the array it was given: adding into it would change the other leaf's.
    x, y = (bg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    dout = bg.tensor([5.0, 7.0])
    x.reshape(2, 1).reshape(2).backward(dout)
    y.reshape(2, 1).reshape(2).backward(dout)
    assert x.grad is not None
    assert y.grad is not None
    assert not np.shares_memory(x.grad.array, dout.array)
    assert not np.shares_memory(x.grad.array, y.grad.array)
    x.reshape(2).backward(dout)
    np.testing.assert_array_equal(dout.numpy(), [5, 7])
    np.testing.assert_array_equal(x.grad.numpy(), [10, 14])


def test_a_function_may_return_dout_itself_for_several_inputs() -> None:
    class Add(Function):
        def forward(self, a: Any, b: Any) -> Any:
            return bg.from_numpy(a + b).array

        def backward(self, dout: Any) -> tuple[Any, Any]:
            return dout, dout

    a, b = (bg.tensor([1.0], requires_grad=True) for _ in range(2))
    y = Add.apply(Add.apply(a, b), a.relu())  # a is used twice, b once
    (y @ bg.tensor([1.0])).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.item(), b.grad.item()) == (2, 1)
    assert not np.shares_memory(a.grad.array, b.grad.array)


def test_a_new_array_that_is_the_gradient_of_two_inputs_belongs_to_neither() -> None:
    class Add(Function):
        def forward(self, a: Any, b: Any) -> Any:
            return bg.from_numpy(a + b).array

        def backward(self, dout: Any) -> tuple[Any, Any]:
            return (both := bg.from_numpy(dout * 1).array), both

    a, b = (bg.tensor([1.0], requires_grad=True) for _ in range(2))
    for _ in range(2):
        Add.apply(a, b).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.item(), b.grad.item()) == (2, 2)


def test_a_gradient_given_by_the_caller_is_never_added_into() -> None:
    x = bg.tensor([[1.0]], requires_grad=True)
    dout = bg.tensor([[1.0]])
    x.backward(dout)
    x.backward(dout)
    np.testing.assert_array_equal(dout.numpy(), [[1]])
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [[2]])


def test_computes_no_gradient_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    gemm = bg.kernels.cpu.gemm
    monkeypatch.setattr(bg.kernels.cpu, "gemm", lambda *a, **k: calls.append(1) or gemm(*a, **k))
    x, w = bg.tensor([[1.0, 2.0]]), bg.tensor([[3.0], [4.0]], requires_grad=True)
    (x @ w).backward()
    assert len(calls) == 2  # forward, and the gradient of w alone


def test_records_nothing_inside_no_grad() -> None:
    x = bg.tensor([1.0], requires_grad=True)
    with bg.no_grad():
        assert not bg.is_grad_enabled()
        assert not x.relu().requires_grad
    assert bg.is_grad_enabled()
    assert x.relu().requires_grad


def test_no_grad_is_of_one_thread() -> None:
    seen = []
    with bg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(bg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_graph_serves_once_unless_it_is_retained() -> None:
    x = bg.tensor([2.0], requires_grad=True)
    y = x.relu() @ bg.tensor([3.0])
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 6
    with pytest.raises(RuntimeError, match=r"\[backward\] the graph through .* was freed"):
        y.backward()


def test_says_that_a_saved_tensor_was_changed_in_place() -> None:
    x, w = bg.tensor([[1.0]], requires_grad=True), bg.tensor([[2.0]], requires_grad=True)
    y = x @ w
    bg.optim.Adam([w]).step()  # w has no gradient yet: nothing changes
    y.backward(retain_graph=True)
    bg.optim.Adam([w]).step()
    with pytest.raises(RuntimeError, match="Gemm saved was changed in place"):
        y.backward()


def test_a_view_shares_the_version_of_its_base() -> None:
    w = bg.tensor([[1.0, 2.0]], requires_grad=True)
    y = bg.tensor([[1.0, 1.0]], requires_grad=True) @ w.T
    w.grad = bg.tensor([[1.0, 1.0]])
    bg.optim.Adam([w]).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_a_version_counts_the_changes_and_those_that_a_graph_knows() -> None:
    x = bg.zeros(3)
    assert isinstance(x._version, Version)
    x[1:].add_(1)
    assert (x._version.number, x._version.recorded) == (1, 0)
    x.mul_(bg.ones(3).requires_grad_())
    assert (x._version.number, x._version.recorded) == (2, 1)


def test_a_variable_is_the_tensor_itself() -> None:
    x = bg.ones(2)
    assert Variable(x) is x
    assert not x.requires_grad
    assert Variable(x, requires_grad=True).requires_grad


def test_the_first_of_several_results_has_the_gradient() -> None:
    class Halves(Function):
        def forward(self, x: Any) -> tuple[Any, Any]:
            return ops.binary.kernels(x).add(x, x), x

        def backward(self, dout: Any) -> tuple[Any]:
            return (ops.binary.kernels(dout).add(dout, dout),)

    x = bg.ones(2).requires_grad_()
    twice, same = Halves.apply_all(x)
    assert not same.requires_grad
    twice.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]


def test_walks_a_graph_deeper_than_the_stack() -> None:
    x = bg.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y.relu()
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1


@pytest.mark.parametrize(
    ("action", "error", "sentence"),
    [
        (lambda x: x.backward(), RuntimeError, r"shape \(2,\), expected one element or gradient="),
        (lambda x: bg.tensor([1.0]).backward(), RuntimeError, "no input .* requires grad"),
        (lambda x: x.backward(bg.tensor([1.0])), ValueError, r"gradient is float32 \(1,\), expected float32 \(2,\)"),
        (lambda x: x.backward(bg.tensor([1, 2])), ValueError, "gradient is int64"),
        (lambda x: x.backward(bg.tensor([1.0, 1.0]), create_graph=True), NotImplementedError, "no second derivatives"),
    ],
)  # fmt: skip
def test_refuses_what_it_cannot_do(
    action: Callable[[Tensor], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action(bg.tensor([1.0, 2.0], requires_grad=True))


def test_catches_a_function_whose_gradient_has_the_wrong_shape() -> None:
    class Wrong(Function):
        def forward(self, x: Any) -> Any:
            return x.reshape((-1,))

        def backward(self, dout: Any) -> tuple[Any]:
            return (dout,)

    y = Wrong.apply(bg.tensor([[1.0, 2.0]], requires_grad=True))
    with pytest.raises(
        RuntimeError, match=r"Wrong gave a gradient of shape \(2,\) for .* \(1, 2\)"
    ):
        y.backward(bg.tensor([1.0, 1.0]))
