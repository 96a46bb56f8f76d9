"""Names that baregrad shares with PyTorch: the same values, gradients, types and kinds of error.

It runs where torch is installed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest

torch = pytest.importorskip("torch")

# An op here is a chain of at most so many roundings of numbers no larger than its largest result,
# in either library: sums have up to 24 terms, the longest chains are those of pow and softmax.
ROUNDINGS = 64
EPSILON = float(np.finfo(np.float32).eps)

Case = tuple[Callable[..., Any], list[tuple[int, ...]]]
INDEX = np.array([2, 0, 2])
MASK = np.array([True, False, True])

# "name" or "name: what about it" -> function of the library and of float32 tensors, their shapes
CASES: dict[str, Case] = {
    **{
        f"{name}: function": (lambda t, x, name=name: getattr(t, name)(x), [(3, 4)])
        for name in ("abs", "neg", "exp", "sigmoid", "tanh", "relu", "sign", "clone", "flatten", "t")
    },
    **{
        f"{name}: method": (lambda t, x, name=name: getattr(x, name)(), [(3, 4)])
        for name in ("abs", "neg", "exp", "sigmoid", "tanh", "relu", "sign", "clone", "flatten", "t")
    },
    "log": (lambda t, x: t.log(x * x + 1) + (x * x + 1).log(), [(3, 4)]),
    "sqrt": (lambda t, x: t.sqrt(x * x + 1) + (x * x + 1).sqrt(), [(3, 4)]),
    "add": (lambda t, a, b: t.add(a, b, alpha=2) + a.add(b) + (1 + a) + (b + 2), [(3, 1), (4,)]),
    "sub": (lambda t, a, b: t.sub(a, b, alpha=2) + a.sub(b) + (1 - a) + (b - 2), [(3, 1), (4,)]),
    "mul": (lambda t, a, b: t.mul(a, b) + a.mul(b) + 2 * a + b * 3, [(3, 1), (4,)]),
    "div": (lambda t, a, b: t.div(a, b * b + 1) + a.div(b * b + 1) + 1 / (a * a + 1) + a / 2, [(3, 1), (4,)]),
    "pow": (lambda t, a, b: t.pow(a * a + 1, b) + (a * a + 1).pow(b) + a**2 + b**3 + 2**a, [(3, 1), (4,)]),
    "pow: special": (lambda t, a: (a * a + 1) ** -1 + (a * a + 1) ** 0.5 + a**1 + a**0, [(3, 4)]),
    "pow: of zero": (lambda t, a: (a * 0) ** 2.5 + (a * 0) ** (a * a + 1), [(3, 4)]),
    "maximum": (lambda t, a, b: t.maximum(a, b) + a.maximum(a), [(3, 1), (4,)]),
    "minimum": (lambda t, a, b: t.minimum(a, b) + a.minimum(a), [(3, 1), (4,)]),
    "clamp": (lambda t, x: t.clamp(x, -0.5, 0.5) + x.clamp(max=0.2) + x.clamp(min=0.1), [(3, 4)]),
    "clamp: at the bound": (lambda t, x: (x * 0).clamp(0, 1) + (x * 0).clamp(max=0), [(3, 4)]),
    "clip": (lambda t, x: t.clip(x, -0.5, 0.5) + x.clip(-0.2, 0.2), [(3, 4)]),
    "where": (lambda t, a, b: t.where(a > b, a, b * 2) + t.where(a > 0, a, 0.0), [(3, 1), (4,)]),
    "sum": (lambda t, x: t.sum(x) + x.sum((0, 2)).sum() + x.sum(dim=1, keepdim=True).sum(), [(2, 3, 4)]),
    "sum: axis": (lambda t, x: x.sum(axis=-1, keepdims=True) * t.sum(x, axis=0), [(3, 4)]),
    "mean": (lambda t, x: t.mean(x) + x.mean(1).sum() + t.mean(x, (0, 2), keepdim=True), [(2, 3, 4)]),
    "var": (lambda t, x: t.var(x) + x.var(1) + x.var((0, 2), correction=0).sum(), [(2, 3, 4)]),
    "std": (lambda t, x: t.std(x) + x.std(1) + x.std((0, 2), correction=0).sum(), [(2, 3, 4)]),
    "std: of equals": (lambda t, x: (x * 0 + 1).std(1), [(3, 4)]),
    "max": (lambda t, x: t.max(x) + x.max() + x.max(1).values + t.max(x, 0)[0].sum(), [(3, 4)]),
    "max: indices": (lambda t, x: x.max(1, keepdim=True).indices, [(3, 4)]),
    "max: of equals": (lambda t, x: t.relu(x).max() * 0 + (x * 0).max() + (x * 0).max(1).values, [(3, 4)]),
    "min": (lambda t, x: t.min(x) + x.min() + x.min(1).values + t.min(x, 0)[0].sum(), [(3, 4)]),
    "min: indices": (lambda t, x: t.min(x, 0).indices, [(3, 4)]),
    "amax": (lambda t, x: t.amax(x, 1) + x.amax((0, 1)) + (x * 0).amax(1), [(3, 4)]),
    "amin": (lambda t, x: t.amin(x, 1) + x.amin((0, 1)) + (x * 0).amin(1), [(3, 4)]),
    "argmax": (lambda t, x: t.argmax(x) + x.argmax(1) + x.argmax(-1, keepdim=True), [(3, 4)]),
    "argmin": (lambda t, x: t.argmin(x) + x.argmin(1) + x.argmin(-1, keepdim=True), [(3, 4)]),
    "all": (lambda t, x: t.all(x > 0, dim=1).float() + (x > -9).all().float(), [(3, 4)]),
    "any": (lambda t, x: t.any(x > 1, dim=1).float() + (x > 9).any().float(), [(3, 4)]),
    "eq": (lambda t, x: t.eq(x, x).float() + x.eq(0.5).float(), [(3, 4)]),
    "eq: operators": (lambda t, x: (x == x * 1).float() + (x != 0) + (x < 0) + (x <= 0) + (x > 0) + (x >= 0), [(3, 4)]),
    "bool": (lambda t, x: ((x > 0) & (x < 1) | ~(x > -1) ^ (x > 2)).bool(), [(3, 4)]),
    "softmax": (lambda t, x: t.softmax(x, 1) + x.softmax(dim=0), [(3, 4)]),
    "log_softmax": (lambda t, x: t.log_softmax(x, -1) + x.log_softmax(dim=0), [(3, 4, 2)]),
    "matmul": (lambda t, a, b: t.matmul(a, b) + a.matmul(b) + a @ b, [(2, 1, 3, 4), (5, 4, 2)]),
    "matmul: of vectors": (lambda t, a, b: a @ b + b @ (a.mT @ b), [(4, 4), (4,)]),
    "mm": (lambda t, a, b: t.mm(a, b) + a.mm(b), [(3, 4), (4, 2)]),
    "dot": (lambda t, a, b: t.dot(a, b) + a.dot(b), [(4,), (4,)]),
    "reshape": (lambda t, x: t.reshape(x, (4, 3)) + x.reshape(4, -1), [(3, 4)]),
    "view": (lambda t, x: x.view(4, 3) + x.view((4, -1)), [(3, 4)]),
    "flatten: of some": (lambda t, x: t.flatten(x, 1) @ x.flatten(start_dim=1).mT, [(2, 3, 4)]),
    "permute": (lambda t, x: t.permute(x, (2, 0, 1)) + x.permute(2, 0, 1), [(2, 3, 4)]),
    "transpose": (lambda t, x: t.transpose(x, 0, 2) + x.transpose(-1, 0), [(2, 3, 4)]),
    "T": (lambda t, x: x.T @ x, [(3, 4)]),
    "mT": (lambda t, x: x.mT @ x, [(2, 3, 4)]),
    "squeeze": (lambda t, x: t.squeeze(x) + x.squeeze(1) .squeeze(-1)+ x.squeeze((1, 3)), [(2, 1, 3, 1)]),
    "unsqueeze": (lambda t, x: t.unsqueeze(x, 0).sum(0) + x.unsqueeze(-1)[..., 0], [(2, 3)]),
    "expand": (lambda t, x: x.expand(3, 2, -1) * x.expand((2, 4)), [(2, 1)]) ,
    "cat": (lambda t, a, b: t.cat([a, b], 1) + t.cat((a, b), dim=-1), [(2, 3), (2, 4)]),
    "concatenate": (lambda t, a, b: t.concatenate([a, b], axis=1), [(2, 3), (2, 4)]),
    "stack": (lambda t, a, b: t.stack([a, b]).sum(0) + t.stack((a, b), dim=-1)[..., 0], [(2, 3), (2, 3)]),
    "split": (lambda t, x: t.split(x, 2)[1] + x.split([1, 4], dim=1)[0].sum() + x.split(3, 1)[1].sum(), [(5, 5)]),
    "split: lengths": (lambda t, x: t.tensor([len(p) for n in range(1, 7) for p in x.split(n)]), [(5, 2)]),
    "chunk": (lambda t, x: t.chunk(x, 2)[0] + x.chunk(2, dim=1)[1].sum(), [(5, 5)]),
    "chunk: lengths": (lambda t, x: t.tensor([len(p) for n in range(1, 9) for p in x.chunk(n)]), [(7, 2)]),
    "flip": (lambda t, x: t.flip(x, (0, 1)) * x.flip((1,)), [(3, 4)]),
    "contiguous": (lambda t, x: x.T.contiguous().view(-1), [(3, 4)]),
    "detach": (lambda t, x: x.detach() * x, [(3, 4)]),
    "double": (lambda t, x: (x.double() * 2).float(), [(3, 4)]),
    "float": (lambda t, x: (x > 0).float() * x, [(3, 4)]),
    "long": (lambda t, x: (x * 10).long(), [(3, 4)]),
    "to": (lambda t, x: x.to(t.float64).to("cpu").to(dtype=t.float32, device="cpu") * 2, [(3, 4)]),
    "index": (lambda t, x: x[1] + x[-1] + x[0, :] + x[..., 1].sum() + x[2:, None, ::2].sum(), [(3, 4)]),
    "index: arrays": (lambda t, x: x[t.tensor(INDEX)] + x[[0, 1, 0]] + x[t.tensor(MASK)].sum(), [(3, 4)]),
    "index: of two": (lambda t, x: x[t.arange(3), t.tensor(INDEX)] + x[:, t.tensor(INDEX)].sum(), [(3, 4)]),
    "index: apart": (lambda t, x: x[t.tensor(INDEX), :, t.tensor(INDEX)], [(3, 2, 4)]),
    "index: with an integer": (lambda t, x: x[0, :, t.tensor(INDEX)], [(3, 2, 4)]),
    "zeros_like": (lambda t, x: t.zeros_like(x) + x, [(3, 4)]),
    "ones_like": (lambda t, x: t.ones_like(x) * x, [(3, 4)]),
    "add_": (lambda t, x: (x * 2).add_(1).add_(x, alpha=3), [(3, 4)]),
    "sub_": (lambda t, x: (x * 2).sub_(1).sub_(x, alpha=3), [(3, 4)]),
    "mul_": (lambda t, x: (x + 1).mul_(2).mul_(x), [(3, 4)]),
    "div_": (lambda t, x: (x + 1).div_(2).div_(x * x + 1), [(3, 4)]),
    "clamp_": (lambda t, x: (x * 2).clamp_(-1, 1), [(3, 4)]),
    "fill_": (lambda t, x: (x * 2).fill_(3) + x, [(3, 4)]),
    "zero_": (lambda t, x: (x * 2).zero_() + x, [(3, 4)]),
    "copy_": (lambda t, x, y: (x * 2).copy_(y) + x, [(3, 4), (4,)]),
    "add_: of another's history": (lambda t, x: t.zeros(3, 4).add_(x).mul_(2), [(3, 4)]),
    "setitem": (lambda t, x, y: assigned(x * 2, 1, y), [(3, 4), (4,)]),
    "setitem: a slice": (lambda t, x, y: assigned(x * 2, (slice(1, None), 0), y), [(3, 4), (2,)]),
    "setitem: rows": (lambda t, x, y: assigned(x * 2, t.tensor([2, 0]), y), [(3, 4), (2, 4)]),
    "setitem: a mask": (lambda t, x: assigned(x * 2, x.detach() > 0, 5.0), [(3, 4)]),
    "setitem: into zeros": (lambda t, x: assigned(t.zeros(3, 4), (slice(None), 1), x), [(3,)]),
}  # fmt: skip


def assigned(x: Any, index: Any, value: Any) -> Any:
    x[index] = value
    return x


def outcome(library: Any, f: Callable[..., Any], inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The result, then the gradients for a random upstream gradient."""
    leaves = [library.tensor(x, requires_grad=True) for x in inputs]
    out = f(library, *leaves)
    found = [out.detach().numpy()]
    if out.requires_grad:
        dout = np.random.default_rng(0).standard_normal(found[0].shape).astype(np.float32)
        out.backward(library.tensor(dout))
        found += [np.zeros(1) if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]
    return found


@pytest.mark.parametrize("name", CASES)
def test_gives_what_pytorch_gives(name: str, rng: np.random.Generator) -> None:
    f, shapes = CASES[name]
    inputs = [rng.standard_normal(shape, np.float32) for shape in shapes]
    got, want = (outcome(library, f, [x.copy() for x in inputs]) for library in (bg, torch))
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        largest = max(1.0, float(np.abs(other, dtype=np.float64).max(initial=0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=ROUNDINGS * EPSILON * largest)


CREATED: dict[str, Callable[[Any], Any]] = {
    "tensor": lambda t: t.tensor([[1, 2], [3, 4]]),
    "tensor: floats": lambda t: t.tensor([1.5, 2]),
    "tensor: bools": lambda t: t.tensor([True, False]),
    "tensor: float64": lambda t: t.tensor([1, 2], dtype=t.float64),
    "as_tensor": lambda t: t.as_tensor(np.arange(3)),
    "from_numpy": lambda t: t.from_numpy(np.arange(3.0)),
    "from_dlpack": lambda t: t.from_dlpack(np.arange(3.0)),
    "zeros": lambda t: t.zeros(2, 3),
    "zeros: int64": lambda t: t.zeros((2, 3), dtype=t.int64),
    "ones": lambda t: t.ones((2, 3)),
    "ones: bools": lambda t: t.ones(2, dtype=t.bool),
    "full": lambda t: t.full((2, 3), 1.5),
    "full: an integer": lambda t: t.full((2,), 7),
    "full: a bool": lambda t: t.full((2,), True),
    "arange": lambda t: t.arange(5),
    "arange: from, to, step": lambda t: t.arange(1, 8, 3),
    "arange: floats": lambda t: t.arange(0, 1, 0.25),
    "linspace": lambda t: t.linspace(0, 1, 5),
    "eye": lambda t: t.eye(3),
    "eye: wide": lambda t: t.eye(2, 3),
    "uint8": lambda t: t.tensor([250, 1], dtype=t.uint8) + t.tensor([250, 1], dtype=t.uint8),
    "sum of bools": lambda t: t.tensor([True, True]).sum(),
    "integers": lambda t: t.arange(4) * 3 - 5 + t.arange(4) ** 2,
    "integers, divided": lambda t: t.arange(4) / 2,
    "integers, abs and neg": lambda t: abs(t.arange(4) - 2) + -t.arange(4),
    "integers, exp": lambda t: t.arange(4).exp(),
    "NaN": lambda t: t.tensor([1.0, float("nan")]).max() + t.tensor([float("nan")]).relu(),
    "an empty sum": lambda t: t.zeros(0, 3).sum(0),
    "an empty mean": lambda t: t.zeros(0).mean(),
}


@pytest.mark.parametrize("name", CREATED)
def test_creates_what_pytorch_creates(name: str) -> None:
    got, want = (CREATED[name](library).numpy() for library in (bg, torch))
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=4 * EPSILON)


KINDS = {
    "bool": lambda t: t.tensor([True, False]),
    "uint8": lambda t: t.tensor([1, 2], dtype=t.uint8),
    "int64": lambda t: t.tensor([1, 2]),
    "float32": lambda t: t.tensor([1.0, 2.0]),
    "float64": lambda t: t.tensor([1.0, 2.0], dtype=t.float64),
    "int64 ()": lambda t: t.tensor(1),
    "float32 ()": lambda t: t.tensor(1.0),
    "float64 ()": lambda t: t.tensor(1.0, dtype=t.float64),
    "True": lambda t: True,
    "1": lambda t: 1,
    "1.5": lambda t: 1.5,
}


@pytest.mark.parametrize("b", KINDS)
@pytest.mark.parametrize("a", [kind for kind in KINDS if kind[0] in "buif"])
@pytest.mark.parametrize("op", ["add", "mul", "div", "maximum", "eq"])
def test_promotes_as_pytorch(op: str, a: str, b: str) -> None:
    if op == "maximum" and b in ("True", "1", "1.5"):
        pytest.skip("PyTorch's maximum takes no numbers")

    def result(library: Any) -> np.dtype:
        dtype: np.dtype = getattr(library, op)(KINDS[a](library), KINDS[b](library)).numpy().dtype
        return dtype

    assert result(bg) == result(torch)


# what is wrong -> our error, PyTorch's: ours are more particular where PyTorch has RuntimeError
WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], type[Exception]]] = {
    "a dim outside": (lambda t: t.ones(2, 3).sum(2), IndexError, IndexError),
    "an index outside": (lambda t: t.ones(2)[2], IndexError, IndexError),
    "too many indices": (lambda t: t.ones(2)[0, 0], IndexError, IndexError),
    "len of a scalar": (lambda t: len(t.tensor(1.0)), TypeError, TypeError),
    "iter of a scalar": (lambda t: iter(t.tensor(1.0)), TypeError, TypeError),
    "text": (lambda t: t.ones(2) + "a", TypeError, TypeError),
    "numpy of a tensor with gradient": (lambda t: t.ones(2, requires_grad=True).numpy(), RuntimeError, RuntimeError),
    "a view of what is not contiguous": (lambda t: t.ones(2, 3).T.view(6), RuntimeError, RuntimeError),
    "a leaf in place": (lambda t: t.ones(2, requires_grad=True).add_(1), RuntimeError, RuntimeError),
    "a view of a leaf in place": (lambda t: t.ones(2, requires_grad=True)[:1].add_(1), RuntimeError, RuntimeError),
    "backward twice": (lambda t: twice((t.ones(2, requires_grad=True) ** 2).sum()), RuntimeError, RuntimeError),
    "backward of many": (lambda t: (t.ones(2, requires_grad=True) * 2).backward(), RuntimeError, RuntimeError),
    "a saved tensor changed": (lambda t: changed(t), RuntimeError, RuntimeError),
    "gradients of integers": (lambda t: t.tensor([1], requires_grad=True), TypeError, RuntimeError),
    "shapes that do not fit": (lambda t: t.ones(2) + t.ones(3), ValueError, RuntimeError),
    "matrices that do not fit": (lambda t: t.ones(2, 3) @ t.ones(2, 3), ValueError, RuntimeError),
    "a reshape that does not fit": (lambda t: t.ones(2, 3).reshape(4), ValueError, RuntimeError),
    "item of many": (lambda t: t.ones(2).item(), ValueError, RuntimeError),
    "the mean of integers": (lambda t: t.arange(3).mean(), TypeError, RuntimeError),
    "an integer into floats in place": (lambda t: t.arange(3).add_(1.5), TypeError, RuntimeError),
    "an integer divided in place": (lambda t: t.arange(3).div_(2), TypeError, RuntimeError),
    "a mixed product": (lambda t: t.ones(2, 2) @ t.ones(2, 2).double(), TypeError, RuntimeError),
    "another device": (lambda t: t.ones(2, device="tpu"), ValueError, RuntimeError),
    "an unknown name": (lambda t: t.ones(2).no_such_name, AttributeError, AttributeError),
    "the max of nothing": (lambda t: t.zeros(0).max(), ValueError, RuntimeError),
}  # fmt: skip


def twice(loss: Any) -> None:
    loss.backward()
    loss.backward()


def changed(t: Any) -> None:
    x = t.ones(2, requires_grad=True) * 2
    y = x * x
    x.add_(1)
    y.sum().backward()


@pytest.mark.parametrize("name", WRONG)
def test_refuses_what_pytorch_refuses(name: str) -> None:
    action, ours, theirs = WRONG[name]
    with pytest.raises(ours, match=r"\w"):
        action(bg)
    with pytest.raises(theirs):
        action(torch)


def test_every_shared_name_is_compared() -> None:
    covered = {name.split(":")[0] for name in (*CASES, *CREATED)}
    named = {name for name in dir(bg.ones(1)) if not name.startswith("_")}
    named |= set(bg.__all__) - {"__version__"}
    shared = {n for n in named if hasattr(torch, n) or hasattr(torch.Tensor, n)}
    elsewhere = {
        *("Tensor", "autocast", "autograd", "cuda", "device", "nn", "optim", "utils"),
        *("backward", "grad", "grad_fn", "is_leaf", "register_hook", "requires_grad"),
        *("requires_grad_", "retain_grad", "enable_grad", "is_grad_enabled", "no_grad"),
        *("set_grad_enabled", "manual_seed", "get_num_threads", "set_num_threads", "load", "save"),
        *("rand", "rand_like", "randint", "randn", "randn_like", "randperm"),
        *("cpu", "data", "dim", "dtype", "float32", "float64", "int64", "item", "ndim", "numel"),
        *("numpy", "shape", "size", "tolist"),
    }
    assert shared - covered - elsewhere == set()
    assert elsewhere <= shared


def test_what_a_tensor_says_of_itself() -> None:
    for library in (bg, torch):
        x = library.ones(2, 3, requires_grad=True)
        y = (x * 2).sum()
        assert (x.dim(), x.ndim, x.numel(), tuple(x.shape), tuple(x.size())) == (
            2,
            2,
            6,
            (2, 3),
            (2, 3),
        )
        assert (x.size(0), x.size(-1), y.item(), x.tolist()) == (2, 3, 12.0, [[1.0] * 3] * 2)
        assert (x.is_leaf, y.is_leaf, y.requires_grad, y.detach().requires_grad) == (
            True,
            False,
            True,
            False,
        )
        assert (str(x.device), x.cpu() is x, x.dtype == library.float32) == ("cpu", True, True)
        assert (len(x), [float(v) for v in x[0].detach()], 1.0 in x, int(y.detach()), bool(y)) == (
            2,
            [1.0] * 3,
            True,
            12,
            True,
        )


def test_hooks_and_gradients_as_in_pytorch() -> None:
    found = []
    for library in (bg, torch):
        seen: list[Any] = []
        x = library.tensor([1.0, 2.0], requires_grad=True)
        y = x * x
        y.retain_grad()
        handle = y.register_hook(lambda g, seen=seen: seen.append(g.tolist()))
        x.register_hook(lambda g: g * 10)
        (y * 3).sum().backward(retain_graph=True)
        handle.remove()
        (y * 3).sum().backward()
        (dy,) = library.autograd.grad((x * x).sum(), x)
        with library.set_grad_enabled(False):
            quiet = (x * 2).requires_grad
        found.append((seen, x.grad.tolist(), y.grad.tolist(), dy.tolist(), quiet))
    assert found[0] == found[1]


def test_arrays_travel_to_pytorch_and_back_without_a_copy() -> None:
    x = bg.arange(3).float()
    there = torch.from_dlpack(x)
    back = bg.from_dlpack(there)
    there[0] = 7
    assert x.tolist() == back.tolist() == [7, 1, 2]
    assert torch.as_tensor(pickle.loads(pickle.dumps(x)).numpy()).tolist() == [7, 1, 2]
